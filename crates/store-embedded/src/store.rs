//! The store: what [`onlyonce_ledger::store::Store`] asks for, and who answers it.
//!
//! Writes go to the [writer](crate::writer); reads go to fjall directly, from whatever thread asks, unless what they ask for
//! was [replayed](crate::replayed) before. A read takes microseconds from memory and as long as the disk takes otherwise, on
//! the caller's thread.
//!
//! A write whose future is dropped after it was queued is written all the same. Dropping the store waits until what
//! is queued has been written, and gives the directory free.

use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, codec};
use onlyonce_ledger::{
    clock::Boot,
    store::{Applied, AuditPage, Capabilities, Command, Error, Reply, Room, Row, Store},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    OpenError, Options,
    clock::Clock,
    directory::Directory,
    error::{poisoned, unread},
    expiry,
    health::{Health, Watch},
    journal::Ahead,
    keyspaces::Keyspaces,
    known::Known,
    open::{self, Opened},
    replayed::Replayed,
    space::Space,
    writer::{Answer, Job, Open, Writer},
};

/// Most rows that one sweep looks at, on the caller's thread; the next goes on from there.
const SWEEP_LOOKS_AT: usize = 4 * 1024;
/// How long closing waits for a writer that hangs in a failed storage engine.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A durable ledger in a directory that one process holds alone.
pub struct EmbeddedStore {
    // Dropped in this order: first whoever uses the database, then the database, then the directory's lock.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    watch: Option<Watch>,
    health: Health,
    open: Open,
    clock: Arc<Clock>,
    space: Space,
    swept: Mutex<Option<RecordId>>,
    known: Arc<Known>,
    replayed: Arc<Replayed>,
    spaces: Keyspaces,
    directory: Directory,
}

impl EmbeddedStore {
    /// Opens the ledger in `path`, and makes one if there is none. Reads every row once to know which are open.
    ///
    /// Blocks; call it before serving, or from a thread that may block.
    ///
    /// # Errors
    /// [`OpenError`] names the directory and says what to do.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let Opened { spaces, clock, open, known, directory } = open::open(path.as_ref(), &options)?;
        let failed = |error| OpenError::io(directory.path(), "a thread could not be started", error);
        let (health, open) = (Health::new(), Arc::new(Mutex::new(open)));
        let replayed = Arc::new(Replayed::new(options.replay_cache));
        let watch = health.watch(spaces.db.clone()).map_err(failed)?;
        let writer = Writer {
            spaces: spaces.clone(),
            clock: Arc::clone(&clock),
            health: health.clone(),
            open: Arc::clone(&open),
            known: Arc::clone(&known),
            ahead: Ahead::new(directory.data()),
            replayed: Arc::clone(&replayed),
        };
        let (jobs, writer) = writer.start(options.audit_entries, directory.path())?;
        Ok(Self {
            jobs: Some(jobs),
            writer: Some(writer),
            watch: Some(watch),
            health,
            open,
            clock,
            space: Space::new(directory.data(), options.reserve, options.max_bytes),
            swept: Mutex::default(),
            known,
            replayed,
            spaces,
            directory,
        })
    }

    /// Sends a job to the writer and waits for its answer, or until the store has failed.
    async fn write<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, Error> {
        self.health.check()?;
        let (answer, answered) = oneshot::channel();
        let written = async {
            let jobs = self.jobs.as_ref().expect("the queue is closed when the store is dropped");
            let queued = jobs.send(job(answer)).await.is_ok();
            // A writer that is gone without an answer has panicked, perhaps after it wrote.
            if queued { answered.await.ok() } else { None }
        };
        tokio::select! {
            biased;
            answer = written => answer.unwrap_or_else(|| Err(poisoned("the writer has stopped"))),
            // The writer may hang in fjall, waiting for a thread of fjall's that has failed.
            error = self.health.failed() => Err(error),
        }
    }

    #[cfg(test)]
    pub(crate) fn spaces(&self) -> &Keyspaces {
        &self.spaces
    }

    #[cfg(test)]
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    #[cfg(test)]
    pub(crate) fn replayed(&self) -> &Replayed {
        &self.replayed
    }

    #[cfg(test)]
    pub(crate) fn open_rows(&self) -> &Open {
        &self.open
    }

    #[cfg(test)]
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    fn read<T>(&self, read: impl FnOnce(&Keyspaces) -> Result<T, fjall::Error>) -> Result<T, Error> {
        self.health.check()?;
        read(&self.spaces).map_err(unread)
    }

    /// A record's row.
    fn row(&self, id: RecordId) -> Result<Option<Bytes>, fjall::Error> {
        if let Some(row) = self.replayed.row(id) {
            return Ok(Some(row));
        }
        if self.known.may_have(id) { self.spaces.record(id) } else { Ok(None) }
    }

    /// Up to `limit` rows that expired before `now`, from where the last look ended, once around at most.
    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Row>, fjall::Error> {
        let mut swept = lock(&self.swept);
        let from = swept.map_or(Bound::Unbounded, |id| Bound::Excluded(id.0));
        let to = swept.map_or(Bound::Excluded([0; 16]), |id| Bound::Included(id.0));
        let records = &self.spaces.records;
        let around = records.range((from, Bound::Unbounded)).chain(records.range((Bound::Unbounded, to)));
        let mut found = Vec::new();
        for row in around.take(SWEEP_LOOKS_AT) {
            if found.len() == limit {
                break;
            }
            let (key, row) = row.into_inner()?;
            let Ok(id) = key.as_ref().try_into().map(RecordId) else { continue };
            *swept = Some(id);
            if expiry::row_expires_at(&row).is_some_and(|end| end <= now) {
                found.push((id, Bytes::copy_from_slice(&row)));
            }
        }
        Ok(found)
    }
}

impl Store for EmbeddedStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { name: "embedded", durable: true, shared: false }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn retention_now(&self) -> Timestamp {
        self.clock.retention_now()
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.space.room(&self.spaces, in_flight_bytes)
    }

    fn bytes(&self) -> Option<u64> {
        self.space.used(&self.spaces)
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        Box::pin(self.write(|answer| Job::Apply(batch, answer)))
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        Box::pin(async move { self.read(|_| ids.iter().map(|id| self.row(*id)).collect()) })
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        Box::pin(async move {
            self.read(|spaces| self.replayed.result(id, || spaces.result(id), || spaces.record(id)))
        })
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        Box::pin(async move {
            self.health.check()?;
            let mut page = Vec::new();
            let mut from = after.map_or(Bound::Unbounded, Bound::Excluded);
            while page.len() < limit {
                let Some(id) = lock(&self.open).range((from, Bound::Unbounded)).next().map(|(id, _)| *id)
                else {
                    break;
                };
                from = Bound::Excluded(id);
                // It may have been completed since.
                let row = self.read(|spaces| spaces.record(id))?;
                let still = row.filter(|row| codec::peek(row).is_ok_and(|peek| peek.open));
                page.extend(still.map(|row| (id, row)));
            }
            Ok(page)
        })
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        Box::pin(async move { self.read(|spaces| spaces.rows_after(after, limit)) })
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        Box::pin(async move { self.read(|spaces| spaces.records.is_empty()) })
    }

    /// Looks at a bounded number of rows and goes on from there the next time, so fewer than `limit` does not mean
    /// that nothing else has expired. Removes nothing while the clock is in doubt, and nothing that has not expired
    /// by the store's own time.
    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        Box::pin(async move {
            let Some(clock) = self.clock.expiry() else { return Ok(0) };
            self.health.check()?;
            let rows = self.expired(now.min(clock), limit).map_err(unread)?;
            self.write(|answer| Job::Remove(rows, answer)).await
        })
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        Box::pin(async move { self.read(Keyspaces::identity) })
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        let expect = expect.map(Bytes::copy_from_slice);
        Box::pin(self.write(|answer| Job::Identity { expect, row, answer }))
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        Box::pin(self.write(|answer| Job::Note(entry, answer)))
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        Box::pin(async move { self.read(|spaces| spaces.audit_before(before, limit)) })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.jobs.take();
        let writer = self.writer.take();
        let since = Boot::now();
        // A writer that hangs in a failed engine would never end; one that works is waited for.
        while writer.as_ref().is_some_and(|writer| !writer.is_finished())
            && !(self.health.check().is_err() && since.elapsed() > CLOSE_WAIT)
        {
            thread::sleep(Duration::from_millis(1));
        }
        if writer.is_some_and(|writer| writer.is_finished() && writer.join().is_err()) {
            tracing::error!(path = %self.directory.path().display(), "the ledger's writer has panicked");
        }
        self.watch.take();
    }
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.directory.path()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these is complete or unchanged when a panic could strike.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
