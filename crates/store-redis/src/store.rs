//! The store: what [`onlyonce_ledger::store::Store`] asks for, and who answers it.
//!
//! All of it runs on one thread of the store's own, since a socket belongs to the runtime that made it. A write whose future is
//! dropped after it was begun is carried to its end all the same.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, codec};
use onlyonce_ledger::{
    clock::{RemoteClock, Steady},
    io::{Io, gather::Gather},
    store::{Applied, AuditPage, Capabilities, Command, Error, ErrorKind, Reply, Room, Row, Store},
};
use redis::Value;

use crate::{
    OpenError, OpenErrorKind, Options, audit,
    error::Failure,
    node::WRITE_LINKS,
    open::{self, Opened},
    pages::{self, Pages},
    reply::{self, Answer},
    request::{Request, Write},
    router::Router,
    watch::{self, Health},
};

/// A ledger in Redis or a Redis Cluster, which several processes may share.
pub struct RedisStore {
    io: Io,
    router: Arc<Router>,
    health: Arc<Health>,
    pages: Arc<Pages>,
    look_ups: Arc<Gather>,
    capabilities: Capabilities,
}

impl RedisStore {
    /// Opens the ledger that the URL names; a new one has no identity yet. With it comes what start-up has to say: what this
    /// ledger can lose, in one line.
    ///
    /// Dropped half way, it leaves nothing behind.
    ///
    /// # Errors
    /// [`OpenError`] says what stood in the way and what to do.
    pub async fn open(options: Options) -> Result<(Self, Vec<String>), OpenError> {
        let io = Io::start().map_err(|error| {
            OpenError::new(OpenErrorKind::Unreachable, format!("a thread could not be started: {error}"))
        })?;
        let name = options.url.scheme();
        let opened = io.run(async { Ok(open::open(options).await) }).await;
        let opened = opened.unwrap_or_else(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Err(OpenError::new(OpenErrorKind::Unreachable, format!("opening broke off: {why}")))
        });
        let Opened { router, health, durable, accepted, sentences } = opened?;
        io.keep(watch::keep(Arc::downgrade(&router), Arc::clone(&health), accepted));
        let capabilities = Capabilities { name, durable, shared: true };
        Ok((
            Self { io, router, health, pages: Arc::default(), look_ups: Arc::default(), capabilities },
            sentences,
        ))
    }

    fn clock(&self) -> &RemoteClock {
        self.router.clock.get().expect("a store is open once a server has told its time")
    }

    /// Asks one thing that changes nothing.
    fn read<T: Send + 'static>(
        &self,
        request: Request,
        understood: impl FnOnce(Value) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'static, T> {
        let router = Arc::clone(&self.router);
        self.io.run(async move { Ok(understood(router.read(request).await?)?) })
    }

    /// Changes one thing.
    fn write<T: Send + 'static>(
        &self,
        request: Request,
        understood: impl FnOnce(Value) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'static, T> {
        let router = Arc::clone(&self.router);
        self.io.run(async move { Ok(understood(router.write(request).await?)?) })
    }
}

impl Store for RedisStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn retention_now(&self) -> Timestamp {
        self.clock().retention_now()
    }

    fn lag(&self) -> Duration {
        self.clock().lag()
    }

    fn steady(&self) -> Steady {
        self.clock().steady()
    }

    fn hear_time(&self) -> Reply<'_, ()> {
        let router = Arc::clone(&self.router);
        self.io.run(async move { Ok(router.hear_time().await?) })
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.health.room(in_flight_bytes)
    }

    fn room_for_result(&self, bytes: u64) -> Room {
        self.health.room_for_result(bytes)
    }

    fn bytes(&self) -> Option<u64> {
        self.health.used()
    }

    /// The server joins what it reads from all connections before it syncs.
    fn batches_at_once(&self) -> usize {
        WRITE_LINKS
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        let now = self.now();
        // Before anything is sent: an error concerns the whole batch.
        let writes: Result<Vec<_>, _> = batch.into_iter().map(|command| write(command, now)).collect();
        let router = Arc::clone(&self.router);
        self.io.run(async move {
            let answers = router.writes(writes?).await;
            settled(answers.into_iter().map(applied).collect())
        })
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        let router = Arc::clone(&self.router);
        match ids {
            // What a request asks for, with all others that are asked for meanwhile; but not of several servers, where one
            // that is slow would keep those waiting who ask the others.
            [id] if !self.router.topology.is_cluster() => {
                let read = move |ids: Vec<RecordId>| {
                    let router = Arc::clone(&router);
                    async move {
                        let rows = pages::each_head(&router, &ids).await;
                        Ok(rows.into_iter().map(|row| Ok(row?)).collect())
                    }
                };
                let row = self.look_ups.ask(&self.io, *id, read);
                Box::pin(async { Ok(vec![row.await?]) })
            }
            _ => {
                let ids = ids.to_vec();
                self.io.run(async move { Ok(pages::heads(&router, &ids).await?) })
            }
        }
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.read(Request::Result(id), reply::bytes)
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        let router = Arc::clone(&self.router);
        self.io.run(async move { Ok(pages::open(&router, after, limit).await?) })
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        let (router, pages) = (Arc::clone(&self.router), Arc::clone(&self.pages));
        self.io.run(async move { Ok(pages.all(&router, after, limit).await?) })
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        let router = Arc::clone(&self.router);
        self.io.run(async move {
            for answer in router.reads((0..=u8::MAX).map(Request::Exists).collect()).await {
                if reply::count(&answer?)? > 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Removes nothing that has not expired by the store's own time of retention.
    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        let (router, pages) = (Arc::clone(&self.router), Arc::clone(&self.pages));
        let now = now.min(self.retention_now());
        self.io.run(async move { Ok(pages.sweep(&router, now, limit).await?) })
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.read(Request::Meta, |meta| reply::bytes(reply::pair(meta)?.0))
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        let expect = expect.map(Bytes::copy_from_slice).unwrap_or_default();
        self.write(Request::SetIdentity { expect, row }, |replaced| Ok(reply::count(&replaced)? == 1))
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        // Spread, so that no shard's bound is reached by these alone.
        let [shard, ..] = self.now().as_ms().to_le_bytes();
        self.write(Request::Note(shard, entry), |_| Ok(()))
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        let router = Arc::clone(&self.router);
        self.io.run(async move { Ok(audit::page(&router, before, limit).await?) })
    }
}

fn write(command: Command, now: Timestamp) -> Result<Request, Error> {
    let Command { id, expect, head, body, note } = command;
    let peek = codec::peek(&head).map_err(|error| Error::new(ErrorKind::Content, error))?;
    Ok(Request::Apply(Write { id, expect, head, peek, body, note, now }))
}

/// What the script says: written, or what stands.
fn applied(answer: Answer) -> Result<Applied, Failure> {
    match answer? {
        Value::Int(1) => Ok(Applied::Yes),
        standing => Ok(Applied::Conflict(reply::bytes(standing)?)),
    }
}

/// All answers, or an error that says of each what became of it.
fn settled(answers: Vec<Result<Applied, Failure>>) -> Result<Vec<Applied>, Error> {
    match answers.iter().find_map(|answer| answer.as_ref().err()).cloned() {
        None => Ok(answers.into_iter().filter_map(Result::ok).collect()),
        Some(failure) => {
            let each = answers.into_iter().map(|answer| answer.map_err(|failure| failure.kind)).collect();
            Err(Error::each(each, failure))
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}
