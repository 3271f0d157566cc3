//! The thread that owns all writes.
//!
//! It takes one job at a time: reads the rows that stand, compares, and commits what applies as one fjall batch with
//! `durability(SyncData)`, which is one journal write and one `fdatasync`. Only then is anybody answered. Since nobody
//! else writes, what it has compared still stands when it commits.
//!
//! It ends when the store is dropped, after what is queued has been written; after an error of a commit it writes
//! nothing any more and answers every job *poisoned*.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use fjall::PersistMode;
use onlyonce_core::{RecordId, Version};
use onlyonce_ledger::store::{Applied, Command, Error};
use tokio::sync::{mpsc, oneshot};

use crate::{
    OpenError,
    clock::Clock,
    error,
    health::Health,
    journal::Ahead,
    keyspaces::{CLOCK, Keyspaces},
    known::Known,
    replayed::Replayed,
};

mod audit;
mod changes;

use audit::Audit;
use changes::{Changes, Standing};

/// Most jobs that wait; the engine sends one batch at a time, so more are notes and sweeps.
const JOBS: usize = 16;

/// The open rows and their versions, in the order of their ids. Only the writer changes it, after each commit, so for the
/// writer it is as good as the rows themselves.
pub(crate) type Open = Arc<Mutex<BTreeMap<RecordId, Version>>>;
/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Something to write.
pub(crate) enum Job {
    /// A batch of compare-and-set.
    Apply(Vec<Command>, Answer<Vec<Applied>>),
    /// Removes each of these rows that still stands as it was read.
    Remove(Vec<(RecordId, Bytes)>, Answer<usize>),
    /// Replaces the identity row.
    Identity { expect: Option<Bytes>, row: Bytes, answer: Answer<bool> },
    /// Appends to the audit.
    Note(Bytes, Answer<()>),
}

/// What the thread works with.
pub(crate) struct Writer {
    pub(crate) spaces: Keyspaces,
    pub(crate) clock: Arc<Clock>,
    pub(crate) health: Health,
    pub(crate) open: Open,
    pub(crate) known: Arc<Known>,
    pub(crate) ahead: Ahead,
    pub(crate) replayed: Arc<Replayed>,
}

impl Writer {
    /// Starts the thread; it ends once the sender is dropped.
    pub(crate) fn start(
        self,
        audit_entries: u64,
        path: &Path,
    ) -> Result<(mpsc::Sender<Job>, JoinHandle<()>), OpenError> {
        let audit =
            Audit::open(&self.spaces, audit_entries).map_err(|error| OpenError::engine(path, error))?;
        let (jobs, queue) = mpsc::channel(JOBS);
        let running = Running { writer: self, audit };
        let thread = thread::Builder::new()
            .name("onlyonce-writer".into())
            .spawn(move || running.run(queue))
            .map_err(|error| OpenError::io(path, "a thread could not be started", error))?;
        Ok((jobs, thread))
    }
}

struct Running {
    writer: Writer,
    audit: Audit,
}

impl Running {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            // Whatever panicked, it may have been after the journal was written.
            if catch_unwind(AssertUnwindSafe(|| self.take(job))).is_err() {
                return self.writer.health.fail("the writer has panicked");
            }
        }
        self.close();
    }

    fn take(&mut self, job: Job) {
        // Whoever asked may have gone; what is written stands all the same.
        match job {
            Job::Apply(batch, answer) => _ = answer.send(self.apply(batch)),
            Job::Remove(rows, answer) => _ = answer.send(self.remove(rows)),
            Job::Identity { expect, row, answer } => _ = answer.send(self.identity(expect.as_ref(), row)),
            Job::Note(entry, answer) => _ = answer.send(self.note(entry)),
        }
    }

    fn apply(&mut self, batch: Vec<Command>) -> Result<Vec<Applied>, Error> {
        self.writer.health.check()?;
        changes::refuse_content(&batch)?;
        let mut changes = Changes::default();
        let Writer { spaces, known, open, .. } = &self.writer;
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = Standing { spaces, known, open: &open };
        let applied = batch
            .into_iter()
            .map(|command| changes.apply(&standing, command).map_err(error::unread))
            .collect::<Result<_, _>>()?;
        drop(open);
        self.commit(changes)?;
        Ok(applied)
    }

    fn remove(&mut self, rows: Vec<(RecordId, Bytes)>) -> Result<usize, Error> {
        self.writer.health.check()?;
        let mut changes = Changes::default();
        let mut removed = 0;
        for (id, row) in rows {
            removed += usize::from(changes.remove(&self.writer.spaces, id, &row).map_err(error::unread)?);
        }
        self.commit(changes)?;
        Ok(removed)
    }

    fn identity(&mut self, expect: Option<&Bytes>, row: Bytes) -> Result<bool, Error> {
        self.writer.health.check()?;
        let standing = self.writer.spaces.identity().map_err(error::unread)?;
        if standing.as_ref() != expect {
            return Ok(false);
        }
        self.commit(Changes::of_identity(row))?;
        Ok(true)
    }

    fn note(&mut self, entry: Bytes) -> Result<(), Error> {
        self.writer.health.check()?;
        self.commit(Changes::of_note(entry))
    }

    /// Writes and syncs. Nothing of it can be read before this has returned `Ok`, and after an error nobody knows.
    fn commit(&mut self, changes: Changes) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let Writer { spaces, clock, health, open, known, ahead, replayed } = &mut self.writer;
        changes.ids().for_each(|id| known.add(id));
        ahead.of(changes.bytes());
        let mut batch = spaces.db.batch().durability(Some(PersistMode::SyncData));
        changes.write(spaces, &mut self.audit, &mut batch);
        if let Some(row) = clock.due() {
            batch.insert(&spaces.meta, CLOCK, row);
        }
        batch.commit().map_err(|error| {
            health.fail(&error);
            error::poisoned(error)
        })?;
        changes.ids().for_each(|id| replayed.changed(id));
        changes.update(&mut open.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Stores the time, so that the next process of this boot goes on from here.
    fn close(self) {
        let Writer { spaces, clock, health, .. } = self.writer;
        if health.check().is_err() {
            return;
        }
        let mut batch = spaces.db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&spaces.meta, CLOCK, clock.row());
        if let Err(error) = batch.commit() {
            tracing::warn!(%error, "the ledger's time was not stored at the end");
        }
    }
}
