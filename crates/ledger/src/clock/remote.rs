//! The clock of a store that keeps time for several processes: the server's, as far as it is known here.
//!
//! A reply that names the server's time was read somewhere between the moment the question was sent and the moment the
//! answer was there. So the server's time is known within an interval, which narrows with quick replies and widens as they
//! grow old. [`RemoteClock::now`] is its lower end: no lease is judged to have lapsed, and nothing to have expired, because
//! an answer was slow. Who is granted a lease by it gets it counted from a little earlier than the server would;
//! [`RemoteClock::lag`] says by how much at most, and the owner takes that off what he believes.
//!
//! Invariant: no wall clock of this machine is read; [`Boot`] carries the server's time on between replies. Time never
//! runs backwards here: where the server's does, this one stands still until it has caught up. Where the server's jumps
//! ahead, leases follow, since those who hold them do; but results are kept as if it had not
//! ([`RemoteClock::retention_now`]), and people are told.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use onlyonce_core::Timestamp;

use super::{Boot, DRIFT_LIMIT};

/// Two clocks that run freely may part by one in so many: more than any that is kept in step by NTP.
const DRIFT: u32 = 1_000;
/// The server names whole milliseconds.
const RESOLUTION: Duration = Duration::from_millis(1);
/// A clock that moves by less against this machine's is one that is being put right, and was not set.
const STEP: Duration = Duration::from_secs(1);
/// How often people are told of a clock that has jumped.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A question that will be answered with the server's time.
#[derive(Clone, Copy, Debug)]
pub struct Asked(Boot);

/// The server's time, in a process that asks for it.
#[derive(Debug)]
pub struct RemoteClock {
    known: Mutex<Known>,
    /// The latest time that was given, in milliseconds.
    given: AtomicU64,
    given_to_retention: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The server's time at this moment lies between these, counted from 1970.
    at: Boot,
    earliest: Duration,
    latest: Duration,
    /// When the server was last heard.
    confirmed: Boot,
    /// How far the server's clock has jumped ahead of what has passed here.
    ahead: Duration,
    reported: Option<Boot>,
}

impl RemoteClock {
    /// To be called right before a question is sent.
    pub fn ask() -> Asked {
        Asked(Boot::now())
    }

    /// Begins with the first answer, right after it has arrived.
    pub fn start(asked: Asked, server: Timestamp) -> Self {
        Self {
            known: Mutex::new(Known::of(asked, server, Boot::now())),
            given: AtomicU64::new(0),
            given_to_retention: AtomicU64::new(0),
        }
    }

    /// Takes note of an answer, right after it has arrived.
    pub fn answered(&self, asked: Asked, server: Timestamp) {
        self.heard(Known::of(asked, server, Boot::now()));
    }

    /// The server's time, or a little less; never less than was given before.
    pub fn now(&self) -> Timestamp {
        self.now_at(Boot::now())
    }

    /// How far behind the server's time [`now`](Self::now) may be.
    pub fn lag(&self) -> Duration {
        self.lag_at(Boot::now())
    }

    /// The time by which retention is judged: while the server's clock is further ahead of what has passed here than
    /// [`DRIFT_LIMIT`], as if it were not. A process that starts afterwards knows nothing of that.
    pub fn retention_now(&self) -> Timestamp {
        self.retention_at(Boot::now())
    }

    /// How long ago the server was last heard. What it says is asked for every few seconds, or the time here is carried
    /// on by this machine alone.
    pub fn unconfirmed_for(&self) -> Duration {
        self.known().confirmed.elapsed()
    }

    fn now_at(&self, at: Boot) -> Timestamp {
        floored(&self.given, self.known().moved_to(at).earliest)
    }

    fn lag_at(&self, at: Boot) -> Duration {
        let known = self.known().moved_to(at);
        known.latest - known.earliest
    }

    fn retention_at(&self, at: Boot) -> Timestamp {
        let known = self.known().moved_to(at);
        let sure = if known.ahead <= DRIFT_LIMIT {
            known.earliest
        } else {
            known.earliest.saturating_sub(known.ahead)
        };
        floored(&self.given_to_retention, sure)
    }

    fn heard(&self, answer: Known) {
        let mut known = self.known();
        // Answers may overtake each other.
        let at = known.at.max(answer.at);
        *known = known.moved_to(at).narrowed_by(answer.moved_to(at));
        known.report();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Replaced as a whole, so sound also after a panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What one answer says: when it was there, the server's clock had gone on by no more than the whole way took.
    fn of(asked: Asked, server: Timestamp, arrived: Boot) -> Self {
        let server = Duration::from_millis(server.as_ms());
        let way = arrived.since(asked.0);
        Self {
            at: arrived,
            earliest: server,
            latest: server + way + RESOLUTION,
            confirmed: arrived,
            ahead: Duration::ZERO,
            reported: None,
        }
    }

    /// The same at a later moment, by this machine's clock, which may be a little fast or slow.
    fn moved_to(self, at: Boot) -> Self {
        let passed = at.since(self.at);
        let apart = passed / DRIFT;
        Self {
            at: self.at.max(at),
            earliest: self.earliest + (passed - apart),
            latest: self.latest + passed + apart,
            ..self
        }
    }

    /// What both say. Where they contradict each other the server's clock was set, or another server answers: then the new
    /// answer counts.
    fn narrowed_by(self, new: Self) -> Self {
        let earliest = self.earliest.max(new.earliest);
        let latest = self.latest.min(new.latest);
        let known = Self { at: self.at, confirmed: new.confirmed, ..self };
        if earliest <= latest {
            return Self { earliest, latest, ..known };
        }
        let (forwards, back) =
            (new.earliest.saturating_sub(self.latest), self.earliest.saturating_sub(new.latest));
        let ahead = match forwards.max(back) {
            small if small < STEP => self.ahead,
            _ => (self.ahead + forwards).saturating_sub(back),
        };
        Self { earliest: new.earliest, latest: new.latest, ahead, ..known }
    }

    fn report(&mut self) {
        if self.ahead > DRIFT_LIMIT && self.reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            self.reported = Some(Boot::now());
            tracing::error!(
                ahead_s = self.ahead.as_secs(),
                "the store's clock has jumped ahead: leases go by it, but nothing expires by the jump; set that clock, or \
                 restart this process if it is right now"
            );
        }
    }
}

/// A time that is no earlier than the one before.
fn floored(given: &AtomicU64, time: Duration) -> Timestamp {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_ms(given.fetch_max(ms, Ordering::AcqRel).max(ms))
}

#[cfg(test)]
mod tests;
