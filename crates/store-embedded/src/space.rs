//! Whether there is room for another claim and its completion.
//!
//! Claims are refused before the disk is full, so that what was claimed can be completed: free space must cover what
//! the attempts under way may still write, what lies in memory and is yet to be written out, and a reserve. A disk
//! that is full all the same ends the store ([`crate::health`]).

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use onlyonce_ledger::{clock::Boot, store::Room};

use crate::{journal, keyspaces::Keyspaces};

/// How old what the system said may be.
const FRESH: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Space {
    path: PathBuf,
    reserve: u64,
    max_bytes: Option<u64>,
    seen: Mutex<Option<Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Boot,
    free: u64,
    used: u64,
}

impl Space {
    pub(crate) fn new(path: PathBuf, reserve: u64, max_bytes: Option<u64>) -> Self {
        Self { path, reserve, max_bytes, seen: Mutex::default() }
    }

    pub(crate) fn room(&self, spaces: &Keyspaces, in_flight_bytes: u64) -> Room {
        let Some(Seen { free, used, .. }) = self.look(spaces) else { return Room::Short };
        let wanted = in_flight_bytes.saturating_add(self.reserve);
        let on_disk = free >= wanted.saturating_add(spaces.db.write_buffer_size());
        let allowed = self.max_bytes.is_none_or(|max| used.saturating_add(wanted) <= max);
        if on_disk && allowed { Room::Enough } else { Room::Short }
    }

    /// What the system says, at most [`FRESH`] old; `None` if it does not answer.
    fn look(&self, spaces: &Keyspaces) -> Option<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_none_or(|seen| seen.at.elapsed() > FRESH) {
            *seen = self.ask(spaces);
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
