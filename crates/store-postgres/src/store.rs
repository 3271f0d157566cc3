//! The store: what [`onlyonce_ledger::store::Store`] asks for, and who answers it.
//!
//! Everything that talks to the server runs on one thread of its own ([`Io`]), whoever asks: a socket belongs to the runtime
//! that made it. A call whose future is dropped goes on to its end.
//!
//! Bounds: [`WRITES`], [`READS`], [`RESULTS`], [`PAGES`] and [`SWEEPS`] connections, apart so that a page of a large ledger, a sweep or many
//! large results keep no claim waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp};
use onlyonce_ledger::{
    clock::{Boot, RemoteClock, Steady},
    io::{Io, gather::Gather},
    store::{Applied, AuditPage, Capabilities, Command, Error, ErrorKind, Reply, Room, Row, Store},
};
use sqlx::{Row as _, postgres::PgRow};

use crate::{
    Migrated, OpenError, OpenErrorKind, Options,
    blocked::Blocked,
    connection::Failed,
    connections::Connections,
    durability::{Settings, Watch},
    error::{Cause, unread, unwritten},
    migrate,
    open::{self, Opened},
    reach::Reach,
    sql::Statements,
    warnings::Warnings,
};

/// Connections for batches of commands, and one for changes of the identity and the audit.
const WRITES: usize = BATCHES + 1;
/// Batches at once: the server commits those together that wait for its log together.
const BATCHES: usize = 2;
/// Connections for rows that requests ask for, and for what has to be known every few seconds: the identity, without which no claim
/// is made, the time and the settings. As many questions for rows are asked at once, so that none of these waits long.
const READS: usize = onlyonce_ledger::io::gather::READS;
/// Connections for results, which may be large and many.
const RESULTS: usize = 2;
/// Connections for pages, which may take long.
const PAGES: usize = 1;
/// Connections for sweeps: a page that takes long would fail them, and expiry would wait for the next round.
const SWEEPS: usize = 1;

/// How old the server's time may be before it is asked for.
const CLOCK_AGE: Duration = Duration::from_secs(2);
/// How often the server's settings are looked at.
const SETTINGS_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether it is time for the one or the other.
const TICK: Duration = Duration::from_secs(1);

/// A ledger on PostgreSQL that is open.
pub struct PostgresStore {
    // Dropped first: it waits for what is under way.
    io: Io,
    shared: Arc<Shared>,
    look_ups: Arc<Gather>,
}

/// What its jobs share.
pub(crate) struct Shared {
    pub(crate) sql: Statements,
    pub(crate) clock: RemoteClock,
    pub(crate) writes: Connections,
    pub(crate) reads: Connections,
    pub(crate) results: Connections,
    pub(crate) pages: Connections,
    pub(crate) sweeps: Connections,
    pub(crate) warnings: Warnings,
    watch: Arc<Watch>,
    pub(crate) blocked: Blocked,
    /// The due time up to which was swept in this round, in ms.
    pub(crate) swept_ms: AtomicI64,
    place: String,
}

impl PostgresStore {
    /// Opens a ledger that has been migrated. Beside it come sentences on what its server may lose; they are for whoever
    /// starts the process.
    ///
    /// # Errors
    /// [`OpenError`] says where the ledger is and what to do.
    pub async fn open(options: Options) -> Result<(Self, Vec<String>), OpenError> {
        let io = Io::start().map_err(no_thread)?;
        let opened = on(&io, async move { open::open(&options).await }).await?;
        let Opened { address, connection, clock, warnings, watch, sentences } = opened;
        let lost = Arc::new(AtomicU64::new(0));
        let reach = Arc::new(Reach::new(&address));
        let connections =
            |places| Connections::new(address.clone(), places, Arc::clone(&lost), Arc::clone(&reach));
        let (sql, watch) = (Statements::of(&address.schema), Arc::new(watch));
        let shared = Arc::new(Shared {
            clock,
            writes: connections(WRITES).watched(Arc::clone(&watch), sql.settings.clone()),
            reads: connections(READS),
            results: connections(RESULTS),
            sql,
            watch,
            pages: connections(PAGES),
            sweeps: connections(SWEEPS),
            warnings,
            blocked: Blocked::default(),
            swept_ms: AtomicI64::new(0),
            place: address.to_string(),
        });
        shared.writes.put(connection);
        io.keep(Arc::clone(&shared).keep_watch());
        Ok((Self { io, shared, look_ups: Arc::default() }, sentences))
    }

    /// Tells what is wrong with the parameters of a ledger's URL, without asking any server.
    ///
    /// # Errors
    /// [`OpenError`] of kind [`OpenErrorKind::Address`], which says what would be valid.
    pub fn check(url: &str) -> Result<(), OpenError> {
        crate::address::Address::check(url)
    }

    /// Makes the ledger's schema, or brings it up to date. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`OpenError`] says where the ledger is and what to do.
    pub async fn migrate(options: Options) -> Result<Migrated, OpenError> {
        let io = Io::start().map_err(no_thread)?;
        on(&io, async move { migrate::migrate(&options).await }).await
    }

    fn run<T, F>(&self, job: impl FnOnce(Arc<Shared>) -> F) -> Reply<'static, T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        self.io.run(job(Arc::clone(&self.shared)))
    }
}

/// Does what opens a ledger on the thread that will keep its sockets.
async fn on<T: Send + 'static>(
    io: &Io,
    job: impl Future<Output = Result<T, OpenError>> + Send + 'static,
) -> Result<T, OpenError> {
    let done = io.run(async move { Ok(job.await) }).await;
    done.map_err(|error| OpenError::new(OpenErrorKind::Store, error.to_string()))?
}

fn no_thread(error: std::io::Error) -> OpenError {
    OpenError::new(
        OpenErrorKind::Store,
        format!("the thread for the ledger's connections could not be started: {error}"),
    )
}

/// A server's time.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_ms(u64::try_from(ms).unwrap_or(0))
}

impl Shared {
    /// Asks for the time where nothing else does, and for what else may change at the server.
    async fn keep_watch(self: Arc<Self>) {
        let mut looked = Boot::now();
        loop {
            tokio::time::sleep(TICK).await;
            // What fails has a next time.
            if looked.elapsed() >= SETTINGS_EVERY && self.look_at_settings().await.is_ok() {
                looked = Boot::now();
            } else if self.clock.unconfirmed_for() >= CLOCK_AGE {
                let _ = self.hear_time().await;
            }
        }
    }

    async fn look_at_settings(&self) -> Result<(), Failed> {
        let asked = RemoteClock::ask();
        let rows = self.reads.read(|| sqlx::query(&self.sql.settings)).await?;
        self.heard(asked, &rows);
        let settings = rows.first().map(Settings::read).transpose().map_err(Failed::after)?;
        if settings.is_some_and(|settings| self.watch.look(&settings).is_err()) {
            // Whoever writes next needs a new connection, and is refused one until that is mended.
            self.writes.outdate();
        }
        Ok(())
    }

    async fn hear_time(&self) -> Result<(), Error> {
        let asked = RemoteClock::ask();
        let rows = self.reads.read(|| sqlx::query(&self.sql.clock)).await.map_err(unread)?;
        self.heard(asked, &rows);
        Ok(())
    }
}

impl Store for PostgresStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { name: "postgres", durable: true, shared: true }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn retention_now(&self) -> Timestamp {
        self.shared.clock.retention_now()
    }

    fn lag(&self) -> Duration {
        self.shared.clock.lag()
    }

    fn steady(&self) -> Steady {
        self.shared.clock.steady()
    }

    fn hear_time(&self) -> Reply<'_, ()> {
        self.run(|shared| async move { shared.hear_time().await })
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        // How full the server's disk is, nobody tells; but so much has no disk.
        if in_flight_bytes < u64::MAX { Room::Enough } else { Room::Short }
    }

    fn batches_at_once(&self) -> usize {
        BATCHES
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        self.run(|shared| async move { shared.apply(batch).await })
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        let shared = Arc::clone(&self.shared);
        let read = move |ids| Arc::clone(&shared).heads(ids);
        match ids {
            // What a request asks for, with all others that are asked for meanwhile.
            [id] => {
                let read = move |ids| {
                    let rows = read(ids);
                    async { Ok(rows.await?.into_iter().map(Ok).collect()) }
                };
                let row = self.look_ups.ask(&self.io, *id, read);
                Box::pin(async { Ok(vec![row.await?]) })
            }
            _ => self.io.run(read(ids.to_vec())),
        }
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.run(|shared| async move {
            let query = || sqlx::query(&shared.sql.body).bind(id.0.to_vec());
            let rows = shared.results.read(query).await.map_err(unread)?;
            let body = rows.first().map(|row| column::<Option<Vec<u8>>>(row, "result")).transpose()?;
            Ok(body.flatten().map(Bytes::from))
        })
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.run(|shared| async move {
            let query = || sqlx::query(&shared.sql.open).bind(from(after)).bind(count(limit));
            page(&shared.pages.read(query).await.map_err(unread)?)
        })
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.run(|shared| async move {
            let query = || sqlx::query(&shared.sql.rows).bind(from(after)).bind(count(limit));
            page(&shared.pages.read(query).await.map_err(unread)?)
        })
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        self.run(|shared| async move {
            let rows = shared.pages.read(|| sqlx::query(&shared.sql.is_empty)).await.map_err(unread)?;
            let is_empty = rows.first().map(|row| column(row, "is_empty")).transpose()?;
            is_empty.ok_or_else(|| Error::new(ErrorKind::NotApplied, "the server gave no answer"))
        })
    }

    /// Removes results whose retention has ended too, which are not counted; what others hold is left for the next time.
    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        self.run(|shared| async move { shared.sweep(now, limit).await })
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.run(|shared| async move {
            let rows = shared.reads.read(|| sqlx::query(&shared.sql.identity)).await.map_err(unread)?;
            Ok(rows.first().map(|row| column::<Vec<u8>>(row, "identity")).transpose()?.map(Bytes::from))
        })
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        let expect = expect.map(<[u8]>::to_vec);
        self.run(|shared| async move {
            let query = sqlx::query(&shared.sql.set_identity).bind(expect).bind(row.to_vec());
            let rows = shared.write(query).await.map_err(unwritten)?;
            let replaced = rows.first().map(|row| row.try_get("replaced")).transpose();
            replaced
                .map_err(|error| unwritten(Failed::after(error)))
                .map(|replaced| replaced.unwrap_or(false))
        })
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        self.run(|shared| async move {
            shared
                .write(sqlx::query(&shared.sql.note).bind(entry.to_vec()))
                .await
                .map_err(unwritten)
                .map(drop)
        })
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        self.run(|shared| async move {
            let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
            let query = || sqlx::query(&shared.sql.audit).bind(before).bind(count(limit));
            let rows = shared.pages.read(query).await.map_err(unread)?;
            let entry = |row: &PgRow| {
                let number: i64 = column(row, "number")?;
                Ok((number.unsigned_abs(), column::<Vec<u8>>(row, "entry")?.into()))
            };
            rows.iter().map(entry).collect()
        })
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

/// After which id a page begins; every id is greater than none.
fn from(after: Option<RecordId>) -> Vec<u8> {
    after.map(|id| id.0.to_vec()).unwrap_or_default()
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn page(rows: &[PgRow]) -> Result<Vec<Row>, Error> {
    let mut page = Vec::with_capacity(rows.len());
    for row in rows {
        let id: Vec<u8> = column(row, "id")?;
        // A table of ours holds no other; whoever put one there has to be told.
        let id =
            id.try_into().map_err(|_| Error::new(ErrorKind::NotApplied, "a row's id has not 16 bytes"))?;
        page.push((RecordId(id), column::<Vec<u8>>(row, "head")?.into()));
    }
    Ok(page)
}

pub(crate) fn column<'r, T>(row: &'r PgRow, name: &str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name).map_err(|error| unread(Failed::after(Cause::from(error))))
}
