//! What happened: every request seen, every effect done.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use super::Seen;
use crate::{chance, gate};

/// Requests kept in the record; beyond it they are counted and the record can no longer be asked for.
const SEEN_LIMIT: usize = 500_000;

/// The counts of an upstream. Clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct Effects(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    record: Mutex<Record>,
    arrived: watch::Sender<usize>,
    executed: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Record {
    seen: Vec<Arc<Seen>>,
    by_key: BTreeMap<String, Vec<String>>,
    by_operation: BTreeMap<String, Vec<String>>,
}

impl Effects {
    /// How many effects requests with this `Idempotency-Key` have had. Quoted and bare keys count alike.
    pub fn executions(&self, key: &str) -> usize {
        self.ids(key).len()
    }

    /// How many effects requests with this `Idempotency-Operation` have had.
    pub fn executions_of(&self, operation: &str) -> usize {
        self.record().by_operation.get(operation).map_or(0, Vec::len)
    }

    /// The ids of the effects under this key, in the order in which they were done.
    pub fn ids(&self, key: &str) -> Vec<String> {
        self.record().by_key.get(key).cloned().unwrap_or_default()
    }

    /// The ids of the effects under this operation, in the order in which they were done.
    pub fn ids_of(&self, operation: &str) -> Vec<String> {
        self.record().by_operation.get(operation).cloned().unwrap_or_default()
    }

    /// Effects per key, for all keys that had any.
    pub fn keys(&self) -> BTreeMap<String, usize> {
        self.record().by_key.iter().map(|(key, ids)| (key.clone(), ids.len())).collect()
    }

    /// Effects per operation, for all operations that had any.
    pub fn operations(&self) -> BTreeMap<String, usize> {
        self.record().by_operation.iter().map(|(operation, ids)| (operation.clone(), ids.len())).collect()
    }

    /// All effects, those of requests without a key included.
    pub fn total(&self) -> usize {
        *self.0.executed.borrow()
    }

    /// How many whole requests have arrived, executed or not.
    pub fn arrivals(&self) -> usize {
        *self.0.arrived.borrow()
    }

    /// All requests in order of arrival.
    ///
    /// # Panics
    /// If there were more than are kept: a part never passes for the whole.
    pub fn seen(&self) -> Vec<Arc<Seen>> {
        let record = self.record();
        assert_eq!(record.seen.len(), self.arrivals(), "more requests than the record keeps");
        record.seen.clone()
    }

    /// All requests with this key, in order of arrival. Panics as [`Effects::seen`] does.
    pub fn seen_with(&self, key: &str) -> Vec<Arc<Seen>> {
        self.seen().into_iter().filter(|seen| seen.key().as_deref() == Some(key)).collect()
    }

    /// Waits until `n` whole requests have arrived since the start.
    ///
    /// # Panics
    /// After [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn arrived(&self, n: usize) {
        gate::reached(&self.0.arrived, n, "requests at the upstream").await;
    }

    /// Waits until `n` effects have been done since the start.
    ///
    /// # Panics
    /// After [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn executed(&self, n: usize) {
        gate::reached(&self.0.executed, n, "effects at the upstream").await;
    }

    /// Records a request under its place in the order of arrival.
    pub(super) fn see(&self, mut seen: Seen) -> Arc<Seen> {
        let mut record = self.record();
        seen.order = self.arrivals();
        let seen = Arc::new(seen);
        if record.seen.len() < SEEN_LIMIT {
            record.seen.push(Arc::clone(&seen));
        }
        // Under the lock, so that the order and the number of arrivals agree.
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        seen
    }

    pub(super) fn execute(&self, seen: &Seen) -> String {
        let mut record = self.record();
        let id = format!("{:016x}-{}", chance::bits(), self.total());
        if let Some(key) = seen.key() {
            record.by_key.entry(key).or_default().push(id.clone());
        }
        if let Some(operation) = seen.operation() {
            record.by_operation.entry(operation).or_default().push(id.clone());
        }
        self.0.executed.send_modify(|executed| *executed += 1);
        id
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.record.lock().expect("no panic happens while the record is locked")
    }
}
