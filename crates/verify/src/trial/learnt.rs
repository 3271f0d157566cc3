//! What a run has spent, and what it has learnt of the API: shared by its trials.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::sync::watch;

use super::over::Over;
use crate::call::{Answer, Outcome, Places, Room};

/// As often as this in a row is no chance.
const STILL: u32 = 2;

/// Most failures of commands that are told; they stand in findings as well.
const FAILURES_MAX: usize = 20;
/// How long who is told so is asked again, at least, after the same was said in vain.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Most such refusals that are known.
const IN_VAIN_MAX: usize = 32;

/// What the trials of one run share.
#[derive(Debug)]
pub(crate) struct Learnt {
    spent: AtomicU32,
    /// Whether anything was left out, because no more may be sent.
    is_spent: AtomicBool,
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
    /// How many keys were made.
    keys: AtomicU32,
    pub(super) over: Over,
    pub(super) places: Places,
    pub(super) room: Room,
    /// The longest that an answer to what was carried out has taken, in milliseconds.
    slowest_ms: AtomicU32,
    /// Refusals that lasted as long as anybody had patience, by what they say.
    in_vain: Mutex<Vec<String>>,
}

impl Learnt {
    /// Of a run that may send so many requests at once.
    pub(crate) fn new(at_once: u32) -> Self {
        Self {
            spent: AtomicU32::default(),
            is_spent: AtomicBool::default(),
            lag_ms: AtomicU32::default(),
            usual: AtomicU16::default(),
            still: AtomicU32::default(),
            down: watch::Sender::default(),
            failed: watch::Sender::default(),
            keys: AtomicU32::default(),
            over: Over::default(),
            places: Places::of(at_once),
            room: Room::default(),
            slowest_ms: AtomicU32::default(),
            in_vain: Mutex::default(),
        }
    }

    pub(super) fn saw_key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn keys(&self) -> u32 {
        self.keys.load(Ordering::Relaxed)
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

    pub(super) fn turned_away(&self) {
        self.is_spent.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
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

    /// Whether any was.
    pub(super) fn has_usual(&self) -> bool {
        self.usual.load(Ordering::Relaxed) != 0
    }

    pub(super) fn is_usual(&self, status: StatusCode) -> bool {
        self.usual.load(Ordering::Relaxed) == status.as_u16()
    }

    /// How long what is carried out takes.
    pub(super) fn saw_answers(&self, outcomes: &[Outcome]) {
        let carried_out = outcomes.iter().flatten().filter(|answer| answer.is_success());
        for took in carried_out.map(|answer| answer.took.as_millis()) {
            self.slowest_ms.fetch_max(u32::try_from(took).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// A refusal that lasted as long as anybody had patience. Many an API refuses by the same status for reasons of its
    /// own, and none of them ends.
    pub(super) fn saw_waiting_in_vain(&self, answer: &Answer) {
        let mut in_vain = self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        let said = answer.said();
        if in_vain.len() < IN_VAIN_MAX && !in_vain.contains(&said) {
            in_vain.push(said);
        }
    }

    /// How long it is worth while to ask again who has said this; `None`: nothing is known against it. What still runs is
    /// over in twice the time that anything took.
    pub(super) fn waits_at_most(&self, answer: &Answer) -> Option<Duration> {
        let in_vain = self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = Duration::from_millis(self.slowest_ms.load(Ordering::Relaxed).into());
        in_vain.contains(&answer.said()).then(|| BRIEFLY.max(slowest * 2))
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
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &'static str, took: u64) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
            took: Duration::from_millis(took),
        }
    }

    #[test]
    fn what_was_said_in_vain_is_asked_again_for_as_long_as_anything_may_run() {
        let learnt = Learnt::new(1);
        let exists = |id| answer(409, id, 1);
        assert_eq!(learnt.waits_at_most(&exists(r#"{"title":"it exists","id":"a1"}"#)), None);
        learnt.saw_waiting_in_vain(&exists(r#"{"title":"it exists","id":"a1"}"#));
        let again = exists(r#"{"title":"it exists","id":"b2"}"#);
        assert_eq!(learnt.waits_at_most(&again), Some(BRIEFLY));
        learnt.saw_answers(&[Ok(answer(201, "{}", 900))]);
        assert_eq!(learnt.waits_at_most(&again), Some(Duration::from_millis(1_800)));
        assert_eq!(learnt.waits_at_most(&exists(r#"{"title":"it still runs"}"#)), None);
    }

    #[test]
    fn what_is_refused_is_not_spent() {
        let learnt = Learnt::new(1);
        assert!(learnt.spend(3, 4));
        assert!(!learnt.spend(2, 4));
        assert_eq!(learnt.spent(), 3);
        assert!(learnt.spend(1, 4));
    }
}
