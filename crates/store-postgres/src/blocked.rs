//! Records that a foreign session holds, and how long a batch waits for them.
//!
//! The engine's own writes hold a row for as long as one batch is committed. A person at a prompt, or a transaction of
//! somebody's own, may hold one for hours; the batch in which that row is wanted must not keep strangers waiting. So no
//! lock is waited for longer than [`PATIENCE`], and the batch is refused as *not applied*: the writer halves it until the
//! record stands alone, and from the first time on no lock is waited for longer than [`HASTE`]. A record that is known to be
//! held is taken out of every batch that it comes with, and tried by itself, not more often than [`RETRY`] allows.
//!
//! Bounds: [`HELD_MAX`] records are remembered, each for [`MEMORY`]; [`TRIES_MAX`] are tried with one batch.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use onlyonce_core::{HashIds, RecordId};
use onlyonce_ledger::clock::Boot;

/// How long a lock is waited for where none is known to be held.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long where one is.
const HASTE: Duration = Duration::from_millis(50);
/// How soon a record that is held is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// Most of them that are tried with one batch.
const TRIES_MAX: usize = 4;
/// How long it is remembered that a lock was in the way.
const MEMORY: Duration = Duration::from_secs(10);
/// Most records that are remembered.
const HELD_MAX: usize = 512;

/// What is known of foreign locks.
#[derive(Debug, Default)]
pub(crate) struct Blocked(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Since when a record was last tried and found held.
    held: HashMap<RecordId, Boot, HashIds>,
    /// When a lock was last in the way.
    met: Option<Boot>,
}

/// What is done with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes with all others.
    Together,
    /// Its record is held by somebody: it goes by itself.
    Alone,
    /// The same, and it was tried a moment ago: it is not sent.
    NotNow,
}

impl Blocked {
    /// What is done with each command of a batch for these records.
    pub(crate) fn turns(&self, ids: impl Iterator<Item = RecordId>) -> Vec<Turn> {
        let mut known = self.known();
        known.held.retain(|_, since| since.elapsed() < MEMORY);
        let mut tries = 0;
        let mut turn = |id| match known.held.get(&id) {
            None => Turn::Together,
            Some(since) if since.elapsed() < RETRY || tries == TRIES_MAX => Turn::NotNow,
            Some(_) => {
                tries += 1;
                Turn::Alone
            }
        };
        ids.map(&mut turn).collect()
    }

    /// How long a lock is waited for.
    pub(crate) fn patience(&self) -> Duration {
        if self.known().met.is_some_and(|since| since.elapsed() < MEMORY) { HASTE } else { PATIENCE }
    }

    /// A lock was in the way of a statement for these records.
    pub(crate) fn met(&self, mut ids: impl ExactSizeIterator<Item = RecordId>) {
        let mut known = self.known();
        known.met = Some(Boot::now());
        let alone = ids.len() == 1;
        if let Some(id) =
            ids.next().filter(|id| alone && (known.held.len() < HELD_MAX || known.held.contains_key(id)))
        {
            known.held.insert(id, Boot::now());
        }
    }

    /// A statement for these records got through.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u8]) -> impl ExactSizeIterator<Item = RecordId> {
        numbers.iter().map(|number| RecordId([*number; 16]))
    }

    fn tried_long_ago(blocked: &Blocked) {
        for since in blocked.known().held.values_mut() {
            *since = since.minus(RETRY);
        }
    }

    #[test]
    fn a_held_record_goes_by_itself_until_it_passes() {
        let blocked = Blocked::default();
        assert_eq!(blocked.patience(), PATIENCE);
        blocked.met(ids(&[1, 2]));
        assert_eq!(blocked.patience(), HASTE);
        assert_eq!(blocked.turns(ids(&[1, 2])), [Turn::Together; 2], "which of them is held is not known");
        blocked.met(ids(&[1]));
        assert_eq!(blocked.turns(ids(&[1, 2])), [Turn::NotNow, Turn::Together]);
        tried_long_ago(&blocked);
        assert_eq!(blocked.turns(ids(&[1, 2])), [Turn::Alone, Turn::Together]);
        blocked.passed(ids(&[1]));
        assert_eq!(blocked.turns(ids(&[1, 2])), [Turn::Together; 2]);
    }

    #[test]
    fn no_more_is_tried_or_remembered_than_the_bounds() {
        let blocked = Blocked::default();
        for number in 0..=HELD_MAX {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            blocked.met([RecordId(id)].into_iter());
        }
        assert_eq!(blocked.known().held.len(), HELD_MAX);
        tried_long_ago(&blocked);
        let held: Vec<_> = blocked.known().held.keys().copied().collect();
        let alone = blocked.turns(held.into_iter()).into_iter().filter(|turn| *turn == Turn::Alone).count();
        assert_eq!(alone, TRIES_MAX);
    }
}
