//! The connections of a store: few, each lent to one call at a time.
//!
//! Not the driver's pool, because it must be known what becomes of each: a connection is lent again only after its call has
//! ended in order; whoever is dropped, runs out of time or loses the other side closes it. A lost one takes with it all that
//! were opened before, which the same restart has ended too.
//!
//! What writes is made only to a server that keeps what it acknowledges, as far as it says so ([`Watch`]).
//!
//! Bounds: as many connections as there are [places](Connections::new), [`CALLS_MAX`] calls that have or want one,
//! [`ACQUIRE_LIMIT`] to wait for it, [`LIFETIME`] for each, and after a failed attempt a [`PAUSE`] in which everybody is told at once: a batch that is split
//! over a server that is away must not try a thousand times.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use onlyonce_ledger::clock::Boot;
use sqlx::postgres::PgRow;
use tokio::sync::Semaphore;

use crate::{
    address::{Address, Pooling},
    connection::{Connection, Failed},
    durability::{Settings, Watch},
    error::Cause,
    reach::Reach,
    sql::{Query, Sql},
    warnings::Warnings,
};

/// How long a call waits for one of the connections: less than whoever asks has, so that he learns what he has waited for.
pub(crate) const ACQUIRE_LIMIT: Duration = Duration::from_millis(1500);
/// Most calls that have a connection or wait for one: as many as there are connections to a gateway.
const CALLS_MAX: usize = 20_000;
/// How long one is used: after a fail-over or behind a balancer, old ones must not stay where they are for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long nobody tries again after a failed attempt to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections for one kind of call, so that slow ones leave those of the quick ones free.
#[derive(Debug)]
pub(crate) struct Connections {
    address: Address,
    /// What has to be asked of the server before anything is written; `None`: nothing is.
    watch: Option<(Arc<Watch>, Sql)>,
    calls: Semaphore,
    places: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// How often one was lost, of all that the store has.
    lost: Arc<AtomicU64>,
    /// What people know of the server, of all that the store has.
    reach: Arc<Reach>,
    failed: Mutex<Option<(Boot, Cause)>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    opened: Boot,
    /// How often one had been lost when it was opened.
    after: u64,
}

impl Connections {
    pub(crate) fn new(address: Address, places: usize, lost: Arc<AtomicU64>, reach: Arc<Reach>) -> Self {
        Self {
            address,
            watch: None,
            calls: Semaphore::new(CALLS_MAX),
            places: Semaphore::new(places),
            idle: Mutex::default(),
            lost,
            reach,
            failed: Mutex::default(),
        }
    }

    /// For calls that write: each connection that is made asks by this statement what the server does with it.
    pub(crate) fn watched(self, watch: Arc<Watch>, settings: Sql) -> Self {
        Self { watch: Some((watch, settings)), ..self }
    }

    /// Has each call make a connection anew, of all that the store has.
    pub(crate) fn outdate(&self) {
        self.lost.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes a connection that is open already.
    pub(crate) fn put(&self, connection: Connection) {
        let after = self.lost.load(Ordering::Acquire);
        lock(&self.idle).push(Idle { connection, opened: Boot::now(), after });
    }

    /// The rows of a statement that only reads. If the other side has gone while a connection was idle, that shows at the first
    /// call; a read is asked once more, on a new one.
    pub(crate) async fn read(&self, query: impl Fn() -> Query<'static>) -> Result<Vec<PgRow>, Failed> {
        match self.ask(query()).await {
            Err(failed) if failed.sent && failed.cause.is_lost() => self.ask(query()).await,
            answer => answer,
        }
    }

    /// The rows of a statement, once it is committed.
    pub(crate) async fn ask(&self, query: Query<'_>) -> Result<Vec<PgRow>, Failed> {
        self.ask_hearing(query, None).await.map(|(rows, _)| rows)
    }

    /// The same, and whether the server has warned meanwhile, where somebody listens. To the statement alone: what is said
    /// while a connection is made is for people.
    pub(crate) async fn ask_hearing(
        &self,
        query: Query<'_>,
        warnings: Option<&Warnings>,
    ) -> Result<(Vec<PgRow>, bool), Failed> {
        let _call = self.calls.try_acquire().map_err(|_| Failed::before(Cause::Crowd))?;
        let place = tokio::time::timeout(ACQUIRE_LIMIT, self.places.acquire()).await;
        let _place = match place {
            Ok(place) => place.expect("the places are never closed"),
            Err(_) => return Err(Failed::before(Cause::AllLent(ACQUIRE_LIMIT))),
        };
        let mut lent = match self.take() {
            Some(idle) => idle,
            None => self.open().await.map_err(Failed::before)?,
        };
        let asked = lent.connection.ask(query);
        let (answer, warned) = match warnings {
            Some(warnings) => warnings.during(asked).await,
            None => (asked.await, false),
        };
        match &answer {
            Err(failed) if !failed.cause.leaves_connection() => self.outdate(),
            // Its transaction has failed and was not ended; closing it is what undoes it.
            Err(_) if lent.connection.is_left_open() => {}
            _ => lock(&self.idle).push(lent),
        }
        answer.map(|rows| (rows, warned))
    }

    fn take(&self) -> Option<Idle> {
        let lost = self.lost.load(Ordering::Acquire);
        let mut idle = lock(&self.idle);
        idle.retain(|idle| idle.after == lost && idle.opened.elapsed() < LIFETIME);
        idle.pop()
    }

    async fn open(&self) -> Result<Idle, Cause> {
        if let Some((_, why)) = lock(&self.failed).as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(why.clone());
        }
        let after = self.lost.load(Ordering::Acquire);
        match self.made().await {
            Ok(connection) => Ok(Idle { connection, opened: Boot::now(), after }),
            Err(cause) => {
                *lock(&self.failed) = Some((Boot::now(), cause.clone()));
                Err(cause)
            }
        }
    }

    async fn made(&self) -> Result<Connection, Cause> {
        let began = Boot::now();
        let answered = self.answered().await;
        let (connection, rows) = answered.inspect_err(|why| _ = self.reach.missed(began, why))?;
        self.reach.made(Boot::now());
        if let Some((watch, _)) = &self.watch {
            let row = rows.first().ok_or_else(|| Cause::Driver("no row".to_owned()))?;
            watch.look(&Settings::read(row)?)?;
        }
        Ok(connection)
    }

    /// A connection on which the server itself has answered, with its settings where those are wanted.
    async fn answered(&self) -> Result<(Connection, Vec<PgRow>), Cause> {
        let mut connection = Connection::open(&self.address).await?;
        let first = match &self.watch {
            Some((_, settings)) => sqlx::query(settings),
            // A pooler lets us in also while its server is away.
            None if self.address.pooling == Pooling::Transaction => sqlx::query("SELECT 1"),
            None => return Ok((connection, Vec::new())),
        };
        let rows = connection.ask(first).await.map_err(|failed| failed.cause)?;
        Ok((connection, rows))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these is complete or unchanged when a panic could strike.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
