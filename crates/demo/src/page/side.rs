//! The two sides of the page: where each one's requests go, and the bank at its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use crate::bank::Bank;

/// Which side of the page a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lane {
    /// With a key, through the gateway.
    Guarded,
    /// The same without either.
    Naive,
}

/// Both sides.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) guarded: Side,
    pub(crate) naive: Side,
}

/// One side: what its requests reach first, and the bank that they may reach in the end.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) target: SocketAddr,
    pub(crate) bank: Bank,
    requests: Arc<AtomicUsize>,
}

impl Sides {
    pub(crate) fn of(&self, lane: Lane) -> &Side {
        match lane {
            Lane::Guarded => &self.guarded,
            Lane::Naive => &self.naive,
        }
    }

    /// New books, and no requests so far. What the gateway remembers stays: the page gets a new key anyway.
    pub(crate) fn start_over(&self) {
        for side in [&self.guarded, &self.naive] {
            side.bank.reset();
            side.requests.store(0, Ordering::Relaxed);
        }
    }
}

impl Side {
    pub(crate) fn new(target: SocketAddr, bank: Bank) -> Self {
        Self { target, bank, requests: Arc::default() }
    }

    /// Counts the requests of the page that arrived on this side.
    pub(crate) fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.requests)
    }

    /// How many requests of the page arrived on this side.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}
