//! What a run has spent, and what it has learnt of the API: shared by its trials.

use std::{
    sync::atomic::{AtomicU16, AtomicU32, Ordering},
    time::Duration,
};

use http::StatusCode;
use tokio::sync::watch;

use crate::call::{Places, Room};

/// As often as this in a row is no chance.
const STILL: u32 = 2;

/// Most failures of commands that are told; they stand in findings as well.
const FAILURES_MAX: usize = 20;

/// What the trials of one run share.
#[derive(Debug)]
pub(crate) struct Learnt {
    spent: AtomicU32,
    /// The longest that an effect was counted after its answer, in milliseconds.
    lag_ms: AtomicU32,
    /// The status of the preflight's answer; 0: there was none.
    usual: AtomicU16,
    /// How many fresh operations in a row have left the counter where it was.
    still: AtomicU32,
    /// Why it cannot be asked: it was killed or stopped, and does not run again.
    down: watch::Sender<Option<String>>,
    /// Commands of the plan that failed, each in a line.
    failed: watch::Sender<Vec<String>>,
    pub(super) places: Places,
    pub(super) room: Room,
}

impl Learnt {
    /// Of a run that may send so many requests at once.
    pub(crate) fn new(at_once: u32) -> Self {
        Self {
            spent: AtomicU32::default(),
            lag_ms: AtomicU32::default(),
            usual: AtomicU16::default(),
            still: AtomicU32::default(),
            down: watch::Sender::default(),
            failed: watch::Sender::default(),
            places: Places::of(at_once),
            room: Room::default(),
        }
    }

    /// Requests that were sent.
    pub(crate) fn spent(&self) -> u32 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Takes so many requests from `most`; `false`: there are not as many left, and none is taken.
    pub(super) fn spend(&self, count: u32, most: u32) -> bool {
        let left = |spent: u32| spent.checked_add(count).filter(|spent| *spent <= most);
        self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    pub(super) fn saw_lag(&self, lag: Duration) {
        self.lag_ms.fetch_max(u32::try_from(lag.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How long an effect may follow its answer, going by those that were seen, and as long again.
    pub(super) fn lag(&self) -> Duration {
        Duration::from_millis(self.lag_ms.load(Ordering::Relaxed).into()) * 2
    }

    /// The answer to a request that was carried out.
    pub(crate) fn saw_usual(&self, status: StatusCode) {
        self.usual.store(status.as_u16(), Ordering::Relaxed);
    }

    pub(super) fn is_usual(&self, status: StatusCode) -> bool {
        self.usual.load(Ordering::Relaxed) == status.as_u16()
    }

    /// Whether the counter stood still at a fresh operation.
    pub(super) fn saw_counter(&self, stopped: bool) {
        match stopped {
            true => self.still.fetch_add(1, Ordering::Relaxed),
            false => self.still.swap(0, Ordering::Relaxed),
        };
    }

    /// Whether it stands still for good: once may be an effect that was later than any before.
    pub(super) fn has_counter_stopped(&self) -> bool {
        self.still.load(Ordering::Relaxed) >= STILL
    }

    /// From here on it cannot be asked, and this is why.
    pub(super) fn is_down(&self, why: impl Into<String>) {
        self.down.send_replace(Some(why.into()));
    }

    /// It can be asked again.
    pub(super) fn is_up(&self) {
        self.down.send_replace(None);
    }

    /// Why it cannot be asked.
    pub(crate) fn why_down(&self) -> Option<String> {
        self.down.borrow().clone()
    }

    /// A command has failed; the same failure counts once.
    pub(crate) fn saw_failure(&self, line: String) {
        self.failed.send_if_modified(|told| {
            let is_new = told.len() < FAILURES_MAX && !told.contains(&line);
            if is_new {
                told.push(line);
            }
            is_new
        });
    }

    /// Those commands that have failed, in order, as they do.
    pub(crate) fn failures(&self) -> watch::Receiver<Vec<String>> {
        self.failed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_spent() {
        let learnt = Learnt::new(1);
        assert!(learnt.spend(3, 4));
        assert!(!learnt.spend(2, 4));
        assert_eq!(learnt.spent(), 3);
        assert!(learnt.spend(1, 4));
    }
}
