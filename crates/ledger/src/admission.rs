//! Places for attempts in flight: so many in all, and so many of one owner.
//!
//! Invariant: whoever is admitted holds a [`Place`] until its record is no longer in progress, and a dropped place is
//! free again. Owners are remembered only while they have attempts in flight, so there are never more of them than
//! places.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use onlyonce_core::{HashIds, Owner};

use crate::error::Error;

#[derive(Debug)]
pub(crate) struct Admission {
    all: usize,
    per_owner: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_owner: HashMap<Owner, usize, HashIds>,
}

/// An attempt's place.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    owner: Option<Owner>,
}

impl Admission {
    pub(crate) fn new(all: usize, per_owner: usize) -> Self {
        Self { all, per_owner, taken: Mutex::default() }
    }

    /// A place; `owner` is `None` where everybody is the same, and nobody could take more than his share.
    pub(crate) fn admit(self: &Arc<Self>, owner: Option<Owner>) -> Result<Place, Error> {
        let mut taken = self.lock();
        if taken.all >= self.all {
            return Err(Error::capacity("attempts in flight"));
        }
        if let Some(owner) = owner {
            let of_owner = taken.by_owner.entry(owner).or_default();
            if *of_owner >= self.per_owner {
                return Err(Error::capacity("attempts in flight of one principal"));
            }
            *of_owner += 1;
        }
        taken.all += 1;
        Ok(Place { admission: Arc::clone(self), owner })
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.admission.lock();
        taken.all -= 1;
        if let Some(Entry::Occupied(mut of_owner)) = self.owner.map(|owner| taken.by_owner.entry(owner)) {
            *of_owner.get_mut() -= 1;
            if *of_owner.get() == 0 {
                of_owner.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_without_attempts_in_flight_are_forgotten() {
        let admission = Arc::new(Admission::new(3, 2));
        let owner = |number| Some(Owner([number; 16]));
        let places = [admission.admit(owner(1)).unwrap(), admission.admit(owner(1)).unwrap()];
        let refused = admission.admit(owner(1)).unwrap_err();
        assert_eq!(refused.detail(), "attempts in flight of one principal");
        let other = admission.admit(owner(2)).unwrap();
        assert_eq!(admission.admit(owner(3)).unwrap_err().detail(), "attempts in flight");
        assert_eq!(admission.lock().by_owner.len(), 2, "who is refused leaves nothing behind");
        drop(places);
        drop(other);
        assert!(admission.lock().by_owner.is_empty());
        assert_eq!(admission.taken(), 0);
    }
}
