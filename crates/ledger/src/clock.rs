//! The clocks of a process.
//!
//! [`Boot`] counts suspension (CLOCK_BOOTTIME; Rust's `Instant` stands still while a machine sleeps) and is what an
//! attempt's start is judged by. [`ProcessClock`] gives the time of a ledger that one process keeps for itself: it begins at the wall clock or at the last
//! time that was persisted, whichever is later, and from then on advances only as [`Boot`] does. So setting the
//! machine's clock moves no lease and expires no record. [`RemoteClock`] gives that of a store which several processes share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use onlyonce_core::Timestamp;
use rustix::time::{ClockId, clock_gettime};

mod remote;
mod steady;

pub use remote::{Asked, RemoteClock};
pub use steady::Steady;

/// How far wall clock and ledger clock may be apart before expiry stops.
pub const DRIFT_LIMIT: Duration = Duration::from_secs(60);

/// A point in time since the machine was started, suspension included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boot(Duration);

impl Boot {
    /// Now.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Self(Duration::new(seconds, nanos))
    }

    /// So much later.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// So much earlier; the machine's start, if it was not up so long.
    #[must_use]
    pub const fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// How long ago this was.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// Since the machine was started.
    pub const fn since_start(self) -> Duration {
        self.0
    }
}

/// The wall clock, read once per process start, and to watch the drift where one process keeps the ledger.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

/// The ledger's time in a process that owns its ledger alone.
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock {
    base: Timestamp,
    started: Boot,
}

impl ProcessClock {
    /// Starts at the wall clock, or at `floor` if that is later.
    pub fn start(floor: Timestamp) -> Self {
        Self { base: wall().max(floor), started: Boot::now() }
    }

    /// Goes on from `at`, a time of this clock's that was taken at `started` since the machine's start. If that lies
    /// ahead, the machine was started again since, and the clock starts afresh at no less than `at`.
    pub fn resume(at: Timestamp, started: Duration) -> Self {
        let now = Boot::now();
        match now.since_start().checked_sub(started) {
            Some(_) => Self { base: at, started: Boot(started) },
            None => Self::start(at),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.base.plus(self.started.elapsed())
    }

    /// How far the wall clock is away.
    pub fn drift(&self) -> Duration {
        let (wall, now) = (wall(), self.now());
        wall.since(now).max(now.since(wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_starts_before_what_was_persisted() {
        let future = wall().plus(Duration::from_secs(3600));
        assert!(ProcessClock::start(future).now() >= future);
        assert!(ProcessClock::start(future).drift() > DRIFT_LIMIT);
        assert!(ProcessClock::start(Timestamp::default()).drift() < DRIFT_LIMIT);
    }

    #[test]
    fn goes_on_where_it_was_within_one_boot() {
        let past = Timestamp::from_ms(1_000);
        let resumed = ProcessClock::resume(past, Boot::now().since_start());
        assert!(resumed.now() < Timestamp::from_ms(61_000));
    }
}
