//! The ledger's clock, over restarts.
//!
//! [`ProcessClock`] advances only as the monotonic clock does. What is stored with the writes (at most once a second,
//! and at the end) lets the next process of the same boot go on exactly where this one was, and is the floor for the
//! first process after a boot. Invariant: no time is given that lies before one that was stored.
//!
//! While wall clock and ledger clock are further apart than [`DRIFT_LIMIT`], one of them is wrong and nobody knows
//! which: leases go on, but nothing expires ([`Clock::expiry`]), and the log says so.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use onlyonce_core::Timestamp;
use onlyonce_ledger::clock::{Boot, DRIFT_LIMIT, ProcessClock, wall};

/// How often the time is stored while something is written.
const STORE_EVERY: Duration = Duration::from_secs(1);
/// How often a clock in doubt is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const BOOT_ID_LEN: usize = 36;
const ROW_LEN: usize = 16 + BOOT_ID_LEN;

#[derive(Debug)]
pub(crate) struct Clock {
    time: ProcessClock,
    boot_id: [u8; BOOT_ID_LEN],
    /// When the time was last stored, in ms of this clock.
    stored: AtomicU64,
    reported: Mutex<Option<Boot>>,
}

impl Clock {
    /// Goes on from the stored row, if there is one that can be read.
    pub(crate) fn start(row: Option<&[u8]>) -> Self {
        let boot_id = boot_id();
        let time = match row.and_then(Stored::read) {
            // Without a boot id two boots cannot be told apart, so the time is only a floor.
            Some(stored) if stored.boot_id == boot_id && boot_id != [0; BOOT_ID_LEN] => {
                ProcessClock::resume(stored.at, stored.since_start)
            }
            Some(stored) => ProcessClock::start(stored.at),
            None => ProcessClock::start(Timestamp::default()),
        };
        Self { time, boot_id, stored: AtomicU64::new(0), reported: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Before which time things have expired; `None` while the clock is in doubt.
    pub(crate) fn expiry(&self) -> Option<Timestamp> {
        let drift = self.time.drift();
        if drift <= DRIFT_LIMIT {
            return Some(self.now());
        }
        self.report(drift);
        None
    }

    /// The time by which retention is judged: while the clock is in doubt, the earlier of the two.
    pub(crate) fn retention_now(&self) -> Timestamp {
        let now = self.now();
        if self.time.drift() <= DRIFT_LIMIT { now } else { now.min(wall()) }
    }

    /// The row to store now, if it is time to.
    pub(crate) fn due(&self) -> Option<Vec<u8>> {
        let now = self.now();
        let last = Timestamp::from_ms(self.stored.load(Ordering::Relaxed));
        (now.since(last) >= STORE_EVERY).then(|| self.row())
    }

    /// The row to store. Whoever resumes adds what has passed since `since_start`, so that is read first: then no
    /// time is lost between the two readings, and the resumed clock is never behind this one.
    pub(crate) fn row(&self) -> Vec<u8> {
        let since_start = Boot::now().since_start();
        let at = self.now();
        self.stored.store(at.as_ms(), Ordering::Relaxed);
        Stored { at, since_start, boot_id: self.boot_id }.write()
    }

    fn report(&self, drift: Duration) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            *reported = Some(Boot::now());
            tracing::error!(
                drift_s = drift.as_secs(),
                "wall clock and ledger clock disagree: nothing expires until they agree again; \
                 set the machine's clock, or restart the machine if it is right"
            );
        }
    }
}

/// The row of a process of this boot whose time is `at`.
#[cfg(test)]
pub(crate) fn row_at(at: Timestamp) -> Vec<u8> {
    Stored { at, since_start: Boot::now().since_start(), boot_id: boot_id() }.write()
}

/// `at`, ms; time since the machine's start, ms; the boot's id.
struct Stored {
    at: Timestamp,
    since_start: Duration,
    boot_id: [u8; BOOT_ID_LEN],
}

impl Stored {
    fn read(row: &[u8]) -> Option<Self> {
        let row: &[u8; ROW_LEN] = row.try_into().ok()?;
        let (at, rest) = row.split_first_chunk::<8>()?;
        let (since_start, boot_id) = rest.split_first_chunk::<8>()?;
        Some(Self {
            at: Timestamp::from_ms(u64::from_be_bytes(*at)),
            since_start: Duration::from_millis(u64::from_be_bytes(*since_start)),
            boot_id: boot_id.try_into().ok()?,
        })
    }

    fn write(&self) -> Vec<u8> {
        let since_start = onlyonce_core::time::duration_ms(self.since_start);
        let mut row = Vec::with_capacity(ROW_LEN);
        row.extend_from_slice(&self.at.as_ms().to_be_bytes());
        row.extend_from_slice(&since_start.to_be_bytes());
        row.extend_from_slice(&self.boot_id);
        row
    }
}

/// This boot's id; zeros where the kernel does not say.
fn boot_id() -> [u8; BOOT_ID_LEN] {
    let text = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    text.trim().as_bytes().try_into().unwrap_or([0; BOOT_ID_LEN])
}

#[cfg(test)]
mod tests {
    use onlyonce_ledger::clock::wall;

    use super::*;

    fn of_another_boot(at: Timestamp) -> Vec<u8> {
        Stored { at, since_start: Boot::now().since_start(), boot_id: [b'x'; BOOT_ID_LEN] }.write()
    }

    #[test]
    fn within_one_boot_the_clock_goes_on_where_it_was() {
        let past = Timestamp::from_ms(1_000_000);
        let clock = Clock::start(Some(&row_at(past)));
        assert!(clock.now() >= past && clock.now() < past.plus(Duration::from_secs(60)));
    }

    #[test]
    fn after_another_boot_the_clock_starts_at_the_later_of_wall_and_stored_time() {
        let past = Clock::start(Some(&of_another_boot(Timestamp::from_ms(1_000_000))));
        assert!(past.now().since(wall()) < DRIFT_LIMIT && wall().since(past.now()) < DRIFT_LIMIT);
        let future = wall().plus(Duration::from_secs(3600));
        assert!(Clock::start(Some(&of_another_boot(future))).now() >= future);
    }

    #[test]
    fn a_clock_in_doubt_expires_nothing() {
        assert!(Clock::start(None).expiry().is_some());
        let future = wall().plus(DRIFT_LIMIT * 2);
        assert_eq!(Clock::start(Some(&row_at(future))).expiry(), None);
        assert_eq!(Clock::start(Some(&row_at(Timestamp::from_ms(1)))).expiry(), None);
    }

    #[test]
    fn a_resumed_clock_is_not_behind_the_row_it_resumes_from() {
        let first = Clock::start(None);
        let before = first.now();
        let second = Clock::start(Some(&first.row()));
        assert!(second.now() >= before, "{} < {before}", second.now());
    }

    #[test]
    fn the_time_is_stored_at_most_once_a_second() {
        let clock = Clock::start(None);
        assert!(clock.due().is_some());
        assert!(clock.due().is_none());
    }
}
