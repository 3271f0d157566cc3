//! What has arrived, what has taken effect, and what is to be done.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{HeaderName, HeaderValue};

use super::{Act, Arrival, Script, answer, documents::Documents, tokens::Tokens};
use crate::plan::Part;

/// The application's memory.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    operations: Tokens<Entry>,
    /// Those of checks that have ended.
    ended: Tokens<Ended>,
    /// Those of them that took effect once more.
    late: Vec<String>,
    arrivals: VecDeque<Arrival>,
    bytes: usize,
    effects: u64,
    documents: Documents,
    /// Headers of which one shows who asks; empty: everybody may.
    credentials: Vec<HeaderName>,
    /// What nobody was given. A check makes few of them.
    wrong: Vec<(HeaderName, HeaderValue)>,
}

/// One operation.
#[derive(Debug)]
struct Entry {
    part: Part,
    script: Option<Script>,
    arrivals: usize,
    effects: usize,
}

/// An operation whose check has ended.
#[derive(Debug)]
struct Ended {
    check: &'static str,
    effects: usize,
}

/// Most lines on what came late.
const LATE_MAX: usize = 8;
/// Most arrivals that are kept, and most bytes of their bodies: the oldest go first. Counts go on.
const KEPT_MAX: usize = 4_096;
const BYTES_MAX: usize = 64 * 1024 * 1024;

impl Book {
    fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which headers show who asks.
    pub(super) fn demand(&self, credentials: Vec<HeaderName>) {
        self.open().credentials = credentials;
    }

    /// What nobody was given.
    pub(super) fn refuse(&self, wrong: Vec<(HeaderName, HeaderValue)>) {
        self.open().wrong.extend(wrong);
    }

    /// An operation of this part of the plan will have this value in its request.
    pub(super) fn expect(&self, token: &str, part: Part) {
        let new = || Entry { part, script: None, arrivals: 0, effects: 0 };
        self.open().operations.entry(token, new).part = part;
    }

    /// It is to follow this script from its next arrival on.
    pub(super) fn follow(&self, token: &str, script: Script) {
        let new = || Entry { part: Part::Create, script: None, arrivals: 0, effects: 0 };
        let mut pages = self.open();
        let entry = pages.operations.entry(token, new);
        entry.script = Some(script);
        entry.arrivals = 0;
    }

    /// Lets go what is held, and forgets what arrived. Of operations it is known from here on that they are over: what
    /// becomes of them is no other check's, and a second effect is noted.
    pub(super) fn turn(&self, check: &'static str) {
        let mut pages = self.open();
        for script in pages.operations.values().filter_map(|entry| entry.script.as_ref()) {
            script.let_go();
        }
        for (token, Entry { effects, .. }) in pages.operations.take() {
            let ended = pages.ended.entry(&token, || Ended { check, effects: 0 });
            *ended = Ended { check, effects: ended.effects + effects };
        }
        pages.arrivals.clear();
        pages.wrong.clear();
        pages.bytes = 0;
    }

    /// Operations that took effect once more after their check had ended.
    pub(super) fn late(&self) -> Vec<String> {
        self.open().late.clone()
    }

    /// Effects of all operations.
    pub(super) fn effects(&self) -> u64 {
        self.open().effects
    }

    /// Effects of one.
    pub(super) fn effects_of(&self, token: &str) -> usize {
        let pages = self.open();
        let ended = pages.ended.get(token).map_or(0, |ended| ended.effects);
        pages.operations.get(token).map_or(ended, |entry| entry.effects)
    }

    /// What arrived of one operation and is still kept, in order.
    pub(super) fn arrivals_of(&self, token: &str) -> Vec<Arrival> {
        let pages = self.open();
        pages.arrivals.iter().filter(|arrival| arrival.token.as_deref() == Some(token)).cloned().collect()
    }

    /// Notes what arrived, and says what it comes to.
    pub(super) fn arrive(&self, mut arrival: Arrival) -> (Arrival, Act) {
        let mut pages = self.open();
        arrival.token = pages.operations.find(&arrival).or_else(|| pages.ended.find(&arrival));
        pages.keep(arrival.clone());
        let act = pages.act(&arrival);
        (arrival, act)
    }

    /// Takes effect; its number.
    pub(super) fn take_effect(&self, token: Option<&str>) -> u64 {
        let mut pages = self.open();
        if let Some(token) = token {
            if let Some(entry) = pages.operations.get_mut(token) {
                entry.effects += 1;
            } else if pages.is_late(token) {
                return pages.effects;
            }
        }
        pages.effects += 1;
        pages.effects
    }
}

impl Pages {
    /// Whether this operation is over; if it had its effect already, this one more is noted.
    fn is_late(&mut self, token: &str) -> bool {
        let Some(ended) = self.ended.get_mut(token) else { return false };
        ended.effects += 1;
        if ended.effects > 1 && self.late.len() < LATE_MAX {
            let line = format!("an operation of {} once more, after that check had ended", ended.check);
            self.late.push(line);
        }
        true
    }

    fn keep(&mut self, arrival: Arrival) {
        self.bytes += arrival.body.len();
        self.arrivals.push_back(arrival);
        // bounded: by what is kept.
        while self.arrivals.len() > KEPT_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.arrivals.pop_front() else { return };
            self.bytes -= oldest.body.len();
        }
    }

    fn act(&mut self, arrival: &Arrival) -> Act {
        let known = arrival.token.as_ref().and_then(|token| self.operations.get_mut(token));
        let (part, script, number) = match known {
            Some(entry) => {
                entry.arrivals += 1;
                (Some(entry.part), entry.script.clone(), entry.arrivals - 1)
            }
            None => (None, None, 0),
        };
        if let Some(script) = script {
            return script.act(number);
        }
        let asks = |name: &HeaderName| arrival.headers.contains_key(name);
        let is_wrong = |(name, value): &(HeaderName, HeaderValue)| arrival.headers.get(name) == Some(value);
        let is_known = self.credentials.iter().any(asks) && !self.wrong.iter().any(is_wrong);
        if !self.credentials.is_empty() && !is_known {
            return answer::unauthorised();
        }
        if part == Some(Part::Resource) {
            return answer::document(self.documents.serve(arrival));
        }
        answer::usual(part, arrival)
    }
}
