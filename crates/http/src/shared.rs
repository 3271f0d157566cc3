//! What all layers on one ledger share.
//!
//! Invariant: there is one [`Shared`] for each ledger and namespace in a process, however many layers with however
//! different rules stand on it: whoever stops the process ends all of their attempts with one word.

use std::sync::Arc;

use onlyonce_core::{fingerprint::Fingerprinter, scope::Scopes};
use onlyonce_ledger::Ledger;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::buffers::{BUFFERED_BYTES, Buffers};

/// Most attempts whose record is unknown and that still listen for a late answer; beyond it, connections are closed.
const LATE_LISTENERS: usize = 4096;

/// What all layers on one ledger share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) scopes: Scopes,
    pub(crate) fingerprinter: Fingerprinter,
    given_up: watch::Sender<bool>,
    listeners: Arc<Semaphore>,
    pub(crate) buffers: Arc<Buffers>,
}

impl Shared {
    /// For a ledger and a namespace; two layers in front of each other on one ledger need different ones.
    pub fn new(ledger: Ledger, namespace: &str) -> Self {
        Self {
            scopes: Scopes::new(ledger.key(), namespace),
            fingerprinter: Fingerprinter::new(ledger.key()),
            given_up: watch::Sender::new(false),
            listeners: Arc::new(Semaphore::new(LATE_LISTENERS)),
            buffers: Arc::new(Buffers::new(BUFFERED_BYTES)),
            ledger,
        }
    }

    /// With another bound than 256 MiB on the bytes that all requests have buffered. To be said before the first request.
    #[must_use]
    pub fn buffering(mut self, bytes: usize) -> Self {
        self.buffers = Arc::new(Buffers::new(bytes));
        self
    }

    /// With another bound than 4 096 on the attempts that listen for a late answer. To be said before the first request.
    #[must_use]
    pub fn listening(mut self, attempts: usize) -> Self {
        self.listeners = Arc::new(Semaphore::new(attempts));
        self
    }

    /// How many bytes requests have buffered.
    pub fn buffered(&self) -> usize {
        self.buffers.used()
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How record ids are made here.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Ends what is still running, because the process stops: what has not started is released, the rest becomes
    /// unknown, and every client is told so. Whoever calls this waits a moment for it to be written.
    pub fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Whether what is running is given up.
    pub(crate) fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// A place to go on listening for a late answer; `None`: there are too many who do.
    pub(crate) fn listen_on(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.listeners).try_acquire_owned().ok()
    }

    /// Resolves when what is running is to be given up.
    pub(crate) async fn given_up(&self) {
        let mut given_up = self.given_up.subscribe();
        // The sender is in `self`.
        let _ = given_up.wait_for(|given_up| *given_up).await;
    }
}
