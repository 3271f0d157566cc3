//! What all layers on one ledger share.
//!
//! Invariant: there is one [`Shared`] for each ledger and namespace in a process, however many layers with however
//! different rules stand on it: whoever stops the process ends all of their attempts with one word.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{fingerprint::Fingerprinter, scope::Scopes};
use onlyonce_ledger::Ledger;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use crate::{
    buffers::{BUFFERED_BYTES, Buffers},
    observe::Shadow,
    seldom::Seldom,
};

/// Most attempts whose record is unknown and that still listen for a late answer; beyond it, connections are closed.
const LATE_LISTENERS: usize = 4096;
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// How long the last outcomes and answers may take to be written, after the drain limit or a failure of the ledger.
const GIVE_UP_TIME: Duration = Duration::from_secs(3);

/// How a drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that were still running at the limit.
    pub given_up: usize,
}

/// What all layers on one ledger share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) scopes: Scopes,
    pub(crate) fingerprinter: Fingerprinter,
    given_up: watch::Sender<bool>,
    listeners: Arc<Semaphore>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) shadow: Shadow,
    /// What a ledger that fails would have logged for each request.
    pub(crate) log: Seldom,
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
            shadow: Shadow::new(),
            log: Seldom::default(),
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

    /// Waits for the attempts that run and the claims that are being written, up to `limit`; what has not started by then
    /// is released, and the rest is unknown. `busy`: whether there is something else to wait for, such as connections; it is
    /// asked every few milliseconds.
    ///
    /// To be called when no new requests are taken. Takes a few seconds more than `limit` at most. Dropped half way, it
    /// may be called again.
    pub async fn drain(&self, limit: Duration, busy: impl Fn() -> bool) -> Drained {
        if self.quiet(limit, &busy).await {
            return Drained::default();
        }
        let given_up = self.ledger.attempts();
        self.give_up();
        self.quiet(GIVE_UP_TIME, &busy).await;
        self.ledger.give_up_attempts().await;
        Drained { given_up }
    }

    /// Gives those who are refused because the ledger has failed, or whose answer could not be recorded, a moment to be
    /// told; `busy` as for [`drain`](Self::drain).
    pub async fn last_words(&self, busy: impl Fn() -> bool) {
        self.quiet(GIVE_UP_TIME, &busy).await;
    }

    /// Waits until nothing is left; `false` if `limit` came first.
    async fn quiet(&self, limit: Duration, busy: &impl Fn() -> bool) -> bool {
        let until = Instant::now() + limit;
        while busy() || !self.ledger.is_quiet() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(DRAIN_TICK).await;
        }
        true
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
