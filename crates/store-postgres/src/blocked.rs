//! Records that a foreign session holds, and how long a batch waits for them.
//!
//! The engine's own writes hold a row for as long as one batch is committed. A person at a prompt, or a transaction of
//! somebody's own, may hold one for hours; the batch in which that row is wanted must not keep strangers waiting. So no
//! lock is waited for longer than [`PATIENCE`], and the batch is refused as *not applied*: the writer halves it until the
//! record stands alone. For a while after that no lock is waited for longer than [`HASTE`], and a batch with a record that is
//! known to be held is refused unsent, so that it is halved without waiting.
//!
//! Bounds: [`HELD_MAX`] records are remembered, each for [`MEMORY`].

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use onlyonce_core::{HashIds, RecordId};
use onlyonce_ledger::clock::Boot;

/// How long a lock is waited for where none is known to be held.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long where one is.
const HASTE: Duration = Duration::from_millis(20);
/// How long it is remembered that a lock was in the way.
const MEMORY: Duration = Duration::from_secs(10);
/// Most records that are remembered.
const HELD_MAX: usize = 512;

/// What is known of foreign locks.
#[derive(Debug, Default)]
pub(crate) struct Blocked(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    held: HashMap<RecordId, Boot, HashIds>,
    /// When a lock was last in the way.
    met: Option<Boot>,
}

impl Blocked {
    /// How long a batch with these records waits for a lock, at most; `None`: it is not to be sent as it is.
    pub(crate) fn patience(&self, ids: impl ExactSizeIterator<Item = RecordId>) -> Option<Duration> {
        let alone = ids.len() == 1;
        let mut known = self.known();
        known.forget();
        let held = ids.into_iter().any(|id| known.held.contains_key(&id));
        match (held, known.met) {
            (true, _) if !alone => None,
            (true, _) | (false, Some(_)) => Some(HASTE),
            (false, None) => Some(PATIENCE),
        }
    }

    /// A lock was in the way of a batch with these records.
    pub(crate) fn met(&self, mut ids: impl ExactSizeIterator<Item = RecordId>) {
        let mut known = self.known();
        known.met = Some(Boot::now());
        let alone = ids.len() == 1;
        if let Some(id) = ids.next().filter(|_| alone && known.held.len() < HELD_MAX) {
            known.held.insert(id, Boot::now());
        }
    }

    /// A batch with these records got through.
    pub(crate) fn passed(&self, ids: impl Iterator<Item = RecordId>) {
        let mut known = self.known();
        if !known.held.is_empty() {
            for id in ids {
                known.held.remove(&id);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Entries are whole; a panic leaves at most one too many, which goes by its age.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self) {
        self.held.retain(|_, since| since.elapsed() < MEMORY);
        self.met = self.met.filter(|since| since.elapsed() < MEMORY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u8]) -> impl ExactSizeIterator<Item = RecordId> {
        numbers.iter().map(|number| RecordId([*number; 16]))
    }

    #[test]
    fn a_held_record_is_not_sent_among_others_until_it_passes() {
        let blocked = Blocked::default();
        assert_eq!(blocked.patience(ids(&[1, 2])), Some(PATIENCE));
        blocked.met(ids(&[1, 2]));
        assert_eq!(blocked.patience(ids(&[1, 2])), Some(HASTE), "which of them is not known");
        blocked.met(ids(&[1]));
        assert_eq!(blocked.patience(ids(&[1, 2])), None);
        assert_eq!(blocked.patience(ids(&[1])), Some(HASTE));
        assert_eq!(blocked.patience(ids(&[2, 3])), Some(HASTE));
        blocked.passed(ids(&[1]));
        assert_eq!(blocked.patience(ids(&[1, 2])), Some(HASTE));
    }

    #[test]
    fn no_more_is_remembered_than_the_bound() {
        let blocked = Blocked::default();
        for number in 0..=HELD_MAX {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            blocked.met([RecordId(id)].into_iter());
        }
        assert_eq!(blocked.known().held.len(), HELD_MAX);
    }
}
