//! Single flight: within one process, the duplicates of a running request wait for it instead of asking the store.
//!
//! What is shared is the news of the record, never a decision: each waiter is judged with its own fingerprint and
//! its own deadline. A waiter holds no connection and never touches the attempt's record; it hears of an outcome
//! only after that is durable. Waiters are bounded per key and in all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use onlyonce_core::{HashIds, Record, RecordId};
use tokio::sync::watch;

use crate::error::Error;

/// How far the request in front has come.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Its claim is not acknowledged yet.
    Claiming,
    /// It holds the claim.
    Running(Arc<Record>),
    /// It is over.
    Ended(Ending),
}

/// What waiters learn at the end.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The record as it was written, and the opened result if it is kept.
    Written(Arc<Record>, Option<Bytes>),
    /// The key was released after an answer that would be the same for everybody: here it is.
    Shared(Arc<Record>, Bytes),
    /// Look again: there was nothing to run, or the key is free.
    Look,
    /// The ledger failed the request in front.
    Failed(Error),
}

#[derive(Debug)]
pub(crate) struct Flight {
    phase: watch::Sender<Phase>,
    waiters: AtomicUsize,
}

#[derive(Debug, Default)]
pub(crate) struct Flights {
    running: Mutex<HashMap<RecordId, Arc<Flight>, HashIds>>,
    waiters: AtomicUsize,
}

/// The right to claim a record in this process. Dropped, it tells the waiters to look again.
#[derive(Debug)]
pub(crate) struct Lead {
    flights: Arc<Flights>,
    pub(crate) id: RecordId,
    flight: Arc<Flight>,
}

/// A waiter's place; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Waiter {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    phase: watch::Receiver<Phase>,
}

impl Flight {
    pub(crate) fn new(phase: Phase) -> Self {
        Self { phase: watch::Sender::new(phase), waiters: AtomicUsize::new(0) }
    }

    /// Whether somebody waits for its end.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    /// A newer reading of what runs. Who waits is told if it is another attempt: a renewal means nothing to him.
    pub(crate) fn learns(&self, record: Record) {
        let order = |record: &Record| (record.first_claim_at, record.fence, record.version.revision);
        self.phase.send_if_modified(|phase| {
            let Phase::Running(known) = phase else { return false };
            let another = known.version.attempt != record.version.attempt;
            let newer = order(&record) > order(known);
            if newer {
                *known = Arc::new(record);
            }
            newer && another
        });
    }

    /// It is over.
    pub(crate) fn ended(&self, ending: Ending) {
        self.phase.send_replace(Phase::Ended(ending));
    }

    /// The record, while it runs.
    pub(crate) fn running(&self) -> Option<Arc<Record>> {
        match &*self.phase.borrow() {
            Phase::Running(record) => Some(Arc::clone(record)),
            Phase::Claiming | Phase::Ended(_) => None,
        }
    }
}

impl Flights {
    /// The flight of a record, if there is one.
    pub(crate) fn of(&self, id: RecordId) -> Option<Arc<Flight>> {
        self.lock().get(&id).cloned()
    }

    /// Takes the lead; `None` if somebody has it.
    pub(crate) fn lead(self: &Arc<Self>, id: RecordId) -> Option<Lead> {
        let mut running = self.lock();
        if running.contains_key(&id) {
            return None;
        }
        let flight = Arc::new(Flight::new(Phase::Claiming));
        running.insert(id, Arc::clone(&flight));
        Some(Lead { flights: Arc::clone(self), id, flight })
    }

    /// Joins a flight; `None` if it has as many waiters as it may, or the process has.
    pub(crate) fn join(self: &Arc<Self>, flight: Arc<Flight>, per_key: usize, all: usize) -> Option<Waiter> {
        // Counted before it is compared, so that two who come at once cannot both take the last place.
        let here = flight.waiters.fetch_add(1, Ordering::Relaxed);
        let everywhere = self.waiters.fetch_add(1, Ordering::Relaxed);
        let phase = flight.phase.subscribe();
        let waiter = Waiter { flights: Arc::clone(self), flight, phase };
        (here < per_key && everywhere < all).then_some(waiter)
    }

    /// Whether nobody has the lead of any record.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many wait in all.
    pub(crate) fn waiters(&self) -> usize {
        self.waiters.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, Arc<Flight>, HashIds>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// The claim is acknowledged.
    pub(crate) fn running(&self, record: Arc<Record>) {
        self.flight.phase.send_replace(Phase::Running(record));
    }

    /// It is over: the key's next request goes its own way.
    pub(crate) fn end(&self, ending: Ending) {
        self.leave();
        self.flight.ended(ending);
    }

    fn leave(&self) {
        let mut running = self.flights.lock();
        if running.get(&self.id).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            running.remove(&self.id);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave();
        self.flight.phase.send_if_modified(|phase| {
            let open = !matches!(phase, Phase::Ended(_));
            if open {
                *phase = Phase::Ended(Ending::Look);
            }
            open
        });
    }
}

impl Waiter {
    /// How far the request in front has come.
    pub(crate) fn phase(&mut self) -> Phase {
        self.phase.borrow_and_update().clone()
    }

    /// Waits until that changes.
    pub(crate) async fn changed(&mut self) {
        // The sender lives in the flight that this waiter holds.
        let _ = self.phase.changed().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.flight.waiters.fetch_sub(1, Ordering::Relaxed);
        self.flights.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
