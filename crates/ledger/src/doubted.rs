//! Records whose claim is in doubt: it was submitted, and the store has not said what became of it.
//!
//! Bounded by the attempts that are admitted: such a claim keeps its place among them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use onlyonce_core::{HashIds, RecordId};

#[derive(Debug, Default)]
pub(crate) struct Doubted(Mutex<HashMap<RecordId, usize, HashIds>>);

/// While it lives, the record's claim is in doubt.
#[derive(Debug)]
pub(crate) struct InDoubt {
    doubted: Arc<Doubted>,
    id: RecordId,
}

impl Doubted {
    pub(crate) fn enter(self: &Arc<Self>, id: RecordId) -> InDoubt {
        *self.lock().entry(id).or_default() += 1;
        InDoubt { doubted: Arc::clone(self), id }
    }

    pub(crate) fn has(&self, id: RecordId) -> bool {
        self.lock().contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, usize, HashIds>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InDoubt {
    fn drop(&mut self) {
        if let Entry::Occupied(mut claims) = self.doubted.lock().entry(self.id) {
            *claims.get_mut() -= 1;
            if *claims.get() == 0 {
                claims.remove();
            }
        }
    }
}
