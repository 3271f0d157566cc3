//! The clock of a store that keeps time for several processes: the server's, as far as it is known here.
//!
//! A reply that names the server's time was read somewhere between the moment the question was sent and the moment the
//! answer was there. So the server's time is known within an interval, which narrows with quick replies and widens as they
//! grow old. [`RemoteClock::now`] is its lower end: no lease is judged to have lapsed, and nothing to have expired, because
//! an answer was slow. Who is granted a lease by it gets it counted from a little earlier than the server would;
//! [`RemoteClock::lag`] says by how much at most, and the owner takes that off what he believes.
//!
//! Servers' clocks are set. Where one is set back, this one follows: the others write their leases by it, and to whoever stayed
//! behind these would have passed. Where it is set forward, what was written before is read as if it had been written by
//! the new one ([`RemoteClock::steady`]), and results are kept as if it had not been ([`RemoteClock::retention_now`]); people
//! are told of both. A process that starts afterwards has this machine's wall clock for a witness.
//!
//! Invariant: what is judged to have ended is judged by the earliest time that it can be. [`Boot`] carries the server's time
//! on between replies; no wall clock of this machine moves a lease.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use onlyonce_core::Timestamp;

use super::{Boot, DRIFT_LIMIT, Steady, wall};

/// Two clocks that run freely may part by one in so many: more than any that is kept in step by NTP.
const DRIFT: u32 = 1_000;
/// The server names whole milliseconds.
const RESOLUTION: Duration = Duration::from_millis(1);
/// A clock that moves by less against this machine's is one that is being put right, and was not set.
const STEP: Duration = Duration::from_secs(1);
/// How often people are told of a clock that is ahead.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A question that will be answered with the server's time.
#[derive(Clone, Copy, Debug)]
pub struct Asked(Boot);

/// The server's time, in a process that asks for it.
#[derive(Debug)]
pub struct RemoteClock(Mutex<Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The server's time at this moment lies between these, counted from 1970.
    at: Boot,
    earliest: Duration,
    latest: Duration,
    /// When the latest question was sent that it answers.
    asked: Boot,
    /// When the server was last heard.
    confirmed: Boot,
    /// By how much the server's clock was set forward, of what has passed here or of this machine's when it began.
    ahead: Duration,
    /// When it was set, or first heard, by itself.
    steady_since: Duration,
    /// When people were last told that it is ahead.
    reported: Option<Boot>,
}

/// What people are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    /// The clock was just set back so far.
    back: Option<Duration>,
    /// It is ahead so far.
    ahead: Option<Duration>,
}

impl RemoteClock {
    /// To be called right before a question is sent.
    pub fn ask() -> Asked {
        Asked(Boot::now())
    }

    /// Begins with the first answer, right after it has arrived. If it is further ahead of this machine's clock than
    /// [`DRIFT_LIMIT`], one of them is wrong, and nothing expires by the difference.
    pub fn start(asked: Asked, server: Timestamp) -> Self {
        let mut known = Known::of(asked, server, Boot::now()).witnessed_by(wall());
        known.news(Duration::ZERO).tell();
        Self(Mutex::new(known))
    }

    /// Takes note of an answer, right after it has arrived.
    pub fn answered(&self, asked: Asked, server: Timestamp) {
        self.heard(Known::of(asked, server, Boot::now())).tell();
    }

    /// The server's time, or a little less. Runs backwards only where the server's does.
    pub fn now(&self) -> Timestamp {
        self.now_at(Boot::now())
    }

    /// How far behind the server's time [`now`](Self::now) may be.
    pub fn lag(&self) -> Duration {
        self.lag_at(Boot::now())
    }

    /// The time by which retention is judged: while the server's clock is further ahead of what has passed here than
    /// [`DRIFT_LIMIT`], as if it were not.
    pub fn retention_now(&self) -> Timestamp {
        self.retention_at(Boot::now())
    }

    /// Since when the server's clock runs evenly: by it, what was written before is to be read.
    pub fn steady(&self) -> Steady {
        let known = self.known();
        Steady { since: timestamp(known.steady_since), ahead: known.ahead }
    }

    /// How long ago the server was last heard. What it says is asked for every few seconds, or the time here is carried
    /// on by this machine alone.
    pub fn unconfirmed_for(&self) -> Duration {
        self.known().confirmed.elapsed()
    }

    /// Whether a question has been answered that was sent since then.
    pub fn has_answered_since(&self, asked: Asked) -> bool {
        self.known().asked >= asked.0
    }

    fn now_at(&self, at: Boot) -> Timestamp {
        timestamp(self.known().moved_to(at).earliest)
    }

    fn lag_at(&self, at: Boot) -> Duration {
        let known = self.known().moved_to(at);
        known.latest - known.earliest
    }

    fn retention_at(&self, at: Boot) -> Timestamp {
        let known = self.known().moved_to(at);
        timestamp(match known.ahead {
            small if small <= DRIFT_LIMIT => known.earliest,
            ahead => known.earliest.saturating_sub(ahead),
        })
    }

    fn heard(&self, answer: Known) -> News {
        let mut known = self.known();
        // Answers may overtake each other.
        let at = known.at.max(answer.at);
        let before = known.moved_to(at);
        *known = before.narrowed_by(answer.moved_to(at));
        let back = before.earliest.saturating_sub(known.latest);
        known.news(back)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Replaced as a whole, so sound also after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            asked: asked.0,
            confirmed: arrived,
            ahead: Duration::ZERO,
            steady_since: server + way + RESOLUTION,
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

    /// Of the first answer: what this machine's clock says to it.
    fn witnessed_by(self, wall: Timestamp) -> Self {
        let ahead = self.earliest.saturating_sub(Duration::from_millis(wall.as_ms()));
        Self { ahead: if ahead > DRIFT_LIMIT { ahead } else { Duration::ZERO }, ..self }
    }

    /// What both say. Where they contradict each other the server's clock was set, or another server answers: then the answer
    /// to the later question counts.
    fn narrowed_by(self, new: Self) -> Self {
        let earliest = self.earliest.max(new.earliest);
        let latest = self.latest.min(new.latest);
        let (asked, confirmed) = (self.asked.max(new.asked), self.confirmed.max(new.confirmed));
        let known = Self { asked, confirmed, ..self };
        if earliest <= latest {
            return Self { earliest, latest, ..known };
        }
        if new.asked < self.asked {
            return known;
        }
        let known = Self { earliest: new.earliest, latest: new.latest, ..known };
        let (forwards, back) =
            (new.earliest.saturating_sub(self.latest), self.earliest.saturating_sub(new.latest));
        match forwards.max(back) {
            small if small < STEP => known,
            _ => Self {
                ahead: (self.ahead + forwards).saturating_sub(back),
                steady_since: new.latest,
                ..known
            },
        }
    }

    /// What to tell people, now that it was set back so far. A step back is told whenever it is made: it is what puts a
    /// clock right that is ahead, and that was told shortly before.
    fn news(&mut self, back: Duration) -> News {
        let may_be_told = self.reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY);
        let ahead = (self.ahead > DRIFT_LIMIT && may_be_told).then_some(self.ahead);
        if ahead.is_some() {
            self.reported = Some(Boot::now());
        }
        News { back: (back >= STEP).then_some(back), ahead }
    }
}

impl News {
    fn tell(self) {
        if let Some(back) = self.back {
            tracing::warn!(
                back_s = back.as_secs(),
                "the store's clock was set back, and is followed: what it said before ends so much later"
            );
        }
        if let Some(ahead) = self.ahead {
            tracing::error!(
                ahead_s = ahead.as_secs(),
                "the store's clock is ahead of the time that has passed here, or of this machine's clock: no lease and nothing \
                 that is kept ends by the difference; set the clock that is wrong, and restart this process when both are right"
            );
        }
    }
}

/// In whole milliseconds since 1970.
fn timestamp(time: Duration) -> Timestamp {
    Timestamp::default().plus(time)
}

#[cfg(test)]
mod tests;
