//! Faults in the store's time and in what it says about its room.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use onlyonce_core::Timestamp;
use onlyonce_ledger::{
    clock::Steady,
    intercept::Intercept,
    memory::MemoryStore,
    store::{Capabilities, Reply, Room, Store},
};

use super::{DISK, Sound};
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

/// Shares a clock, and answers one question about it as a store does that has a clock to itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    SteadySinceEver,
    KnownExactly,
    HeardFromNobody,
}

impl Intercept for Shared {
    fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
        Sound.capabilities(rows)
    }

    fn lag(&self, rows: &MemoryStore) -> Duration {
        if *self == Self::KnownExactly { rows.lag() } else { Sound.lag(rows) }
    }

    fn steady(&self, rows: &MemoryStore) -> Steady {
        if *self == Self::SteadySinceEver { rows.steady() } else { Sound.steady(rows) }
    }

    fn hear_time<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, ()> {
        if *self == Self::HeardFromNobody { rows.hear_time() } else { Sound.hear_time(rows) }
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
