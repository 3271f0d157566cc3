//! Whether there is room for another claim and its completion.
//!
//! Claims are refused before the disk is full, so that what was claimed can be completed: free space must cover what
//! the attempts under way may still write, what lies in memory and is yet to be written out, and a reserve. A disk
//! that is full all the same ends the store ([`crate::health`]).

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use onlyonce_ledger::{clock::Boot, store::Room};

use crate::{journal, keyspaces::Keyspaces};

/// How old what the system said may be.
const FRESH: Duration = Duration::from_millis(100);
/// From so much of `ledger.max_bytes` on people are told.
const WARN_PERCENT: u64 = 80;

#[derive(Debug)]
pub(crate) struct Space {
    path: PathBuf,
    reserve: u64,
    max_bytes: Option<u64>,
    seen: Mutex<Option<Seen>>,
    /// People were told that it is nearly as large as it may be, and it has not shrunk since.
    warned: AtomicBool,
    /// There was no room when it was last asked for.
    short: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Boot,
    free: u64,
    used: u64,
}

impl Space {
    pub(crate) fn new(path: PathBuf, reserve: u64, max_bytes: Option<u64>) -> Self {
        Self {
            path,
            reserve,
            max_bytes,
            seen: Mutex::default(),
            warned: AtomicBool::new(false),
            short: AtomicBool::new(false),
        }
    }

    pub(crate) fn room(&self, spaces: &Keyspaces, in_flight_bytes: u64) -> Room {
        let Some(Seen { free, used, .. }) = self.look(spaces) else { return Room::Short };
        let wanted = in_flight_bytes.saturating_add(self.reserve);
        let on_disk = free >= wanted.saturating_add(spaces.db.write_buffer_size());
        let allowed = self.max_bytes.is_none_or(|max| used.saturating_add(wanted) <= max);
        let short = !(on_disk && allowed);
        if self.turned(short) && short {
            tracing::warn!(
                free,
                used,
                wanted,
                max = self.max_bytes,
                "new keys are refused: the disk, or ledger.max_bytes, has no room for what is under way and a reserve"
            );
        }
        if short { Room::Short } else { Room::Enough }
    }

    /// Whether that is new.
    fn turned(&self, short: bool) -> bool {
        self.short.load(Ordering::Relaxed) != short && self.short.swap(short, Ordering::Relaxed) != short
    }

    /// Tells people once that the ledger is nearly as large as it may be, and again only after it had shrunk; says whether
    /// it did.
    fn warn(&self, used: u64) -> bool {
        let Some(max) = self.max_bytes else { return false };
        let nearly = used >= max / 100 * WARN_PERCENT;
        let tell = nearly && !self.warned.load(Ordering::Relaxed);
        self.warned.store(nearly, Ordering::Relaxed);
        if tell {
            tracing::warn!(
                used,
                max,
                "the ledger is nearly as large as ledger.max_bytes lets it be: then new keys are refused"
            );
        }
        tell
    }

    /// What the system says, at most [`FRESH`] old; `None` if it does not answer.
    fn look(&self, spaces: &Keyspaces) -> Option<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_none_or(|seen| seen.at.elapsed() > FRESH) {
            *seen = self.ask(spaces);
            if let Some(seen) = *seen {
                self.warn(seen.used);
            }
        }
        *seen
    }

    fn ask(&self, spaces: &Keyspaces) -> Option<Seen> {
        let disk = match rustix::fs::statvfs(&self.path) {
            Ok(disk) => disk,
            Err(error) => {
                tracing::error!(%error, "free space is not known: no claims are admitted");
                return None;
            }
        };
        // Looks at some files, so only where somebody wants to know.
        let used = if self.max_bytes.is_some() { self.used(spaces)? } else { 0 };
        Some(Seen { at: Boot::now(), free: disk.f_bavail.saturating_mul(disk.f_frsize), used })
    }

    /// What journals and tables take up; `None` if the system does not say.
    pub(crate) fn used(&self, spaces: &Keyspaces) -> Option<u64> {
        let journals = journal::used(&self.path)
            .inspect_err(|error| tracing::error!(%error, "the ledger's size is not known"));
        Some(journals.ok()?.saturating_add(spaces.table_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_once_at_four_fifths_of_what_it_may_be_until_it_has_shrunk() {
        let space = Space::new(PathBuf::new(), 0, Some(1000));
        let told = [799, 800, 900, 1000, 799, 800].map(|used| space.warn(used));
        assert_eq!(told, [false, true, false, false, false, true]);
        assert!(!Space::new(PathBuf::new(), 0, None).warn(u64::MAX), "until the disk says no");
    }

    #[test]
    fn a_lack_of_room_is_told_when_it_begins_and_not_with_each_key() {
        let space = Space::new(PathBuf::new(), 0, None);
        assert_eq!(
            [false, true, true, false, true].map(|short| space.turned(short)),
            [false, true, false, true, true]
        );
    }
}
