//! Whether the store still works.
//!
//! A store fails once and for good: after an error of a journal write or sync nobody can know what is on the disk, so
//! every call answers [`ErrorKind::Poisoned`](onlyonce_ledger::store::ErrorKind::Poisoned) until the directory is
//! opened again. fjall keeps the same rule for itself, also when one of its own threads fails (a flush that meets a
//! full disk); [`Health::watch`] notices that while nobody writes, and while a write waits for a flush that will
//! never come (`fjall/src/keyspace/mod.rs`, `local_backpressure`).

use std::{
    fmt,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use fjall::{Database, PersistMode};
use onlyonce_ledger::store::Error;
use tokio::sync::watch;

use crate::error;

/// How often fjall is asked whether one of its threads has failed.
const POLL: Duration = Duration::from_millis(200);

/// Works until it has failed.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    failed: Arc<watch::Sender<bool>>,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self { failed: Arc::new(watch::channel(false).0) }
    }

    pub(crate) fn fail(&self, error: impl fmt::Display) {
        if !self.failed.send_replace(true) {
            tracing::error!(%error, "the ledger cannot write any more; the process must open it again");
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if *self.failed.borrow() { Err(failed_before()) } else { Ok(()) }
    }

    /// Resolves when the store fails.
    pub(crate) async fn failed(&self) -> Error {
        // The sender lives in `self`, so waiting ends only by the value.
        let _ = self.failed.subscribe().wait_for(|failed| *failed).await;
        failed_before()
    }

    /// Watches fjall until the sender is dropped.
    pub(crate) fn watch(&self, db: Database) -> std::io::Result<Watch> {
        let (stop, stopped) = mpsc::channel::<()>();
        let health = self.clone();
        let thread = thread::Builder::new().name("onlyonce-health".into()).spawn(move || {
            while stopped.recv_timeout(POLL) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Writes nothing: our batches are synced when they are committed. A poisoned database says so.
                if let Err(error) = db.persist(PersistMode::Buffer) {
                    health.fail(&error);
                    return;
                }
            }
        })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

fn failed_before() -> Error {
    error::poisoned("an earlier write failed")
}

/// Stops watching when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.take();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches the ledger has panicked");
        }
    }
}
