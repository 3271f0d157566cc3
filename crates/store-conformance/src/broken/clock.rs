//! Faults in the store's time and in what it says about its room.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use onlyonce_core::Timestamp;
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Capabilities, Room, Store},
};

use super::DISK;
use crate::rows::PAST;

const STEP: Duration = Duration::from_secs(1);

/// Follows a wall clock that is being set back.
#[derive(Default)]
pub(super) struct StepsBack(AtomicU64);

impl Intercept for StepsBack {
    fn now(&self, rows: &MemoryStore) -> Timestamp {
        let steps = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_ms(rows.now().as_ms().saturating_sub(steps * 1000))
    }
}

/// Counts from the same time at each start.
#[derive(Default)]
pub(super) struct StartsAnew(AtomicU64);

impl Intercept for StartsAnew {
    fn now(&self, _: &MemoryStore) -> Timestamp {
        (0..self.0.fetch_add(1, Ordering::Relaxed)).fold(PAST, |time, _| time.plus(STEP))
    }
}

/// Does not look.
pub(super) struct Always(pub(super) Room);

impl Intercept for Always {
    fn capabilities(&self, _: &MemoryStore) -> Capabilities {
        DISK
    }

    fn room(&self, _: &MemoryStore, _: u64) -> Room {
        self.0
    }
}
