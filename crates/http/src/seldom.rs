//! Log lines that one fault would have for each request.
//!
//! Of each kind one goes out in [`PAUSE`], with the number of those that were left out since the one before. How many requests
//! were refused is in the metrics.
//!
//! Bound: [`KINDS_MAX`] kinds; whatever would be one more shares a kind.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use onlyonce_ledger::Error;
use tokio::time::Instant;

/// Shortest time between two lines of a kind.
const PAUSE: Duration = Duration::from_secs(10);
/// Most kinds that are told apart; all of them are texts of this program's, and there are fewer.
const KINDS_MAX: usize = 64;

/// What is said, and of what.
type Kind = (&'static str, &'static str);

#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<HashMap<Kind, Told>>);

#[derive(Debug)]
struct Told {
    last: Instant,
    left_out: u64,
}

impl Seldom {
    /// Warns of what a failure of the ledger has led to.
    pub(crate) fn warn(&self, what: &'static str, error: &Error) {
        if let Some(left_out) = self.next((what, error.detail()), Instant::now()) {
            let left_out = (left_out > 0).then_some(left_out);
            tracing::warn!(%error, left_out, "{what}");
        }
    }

    /// How many of its kind were left out before this one; `None`: it is left out as well.
    fn next(&self, kind: Kind, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kinds.len() < KINDS_MAX || kinds.contains_key(&kind);
        let kind = if known { kind } else { ("", "") };
        let Some(told) = kinds.get_mut(&kind) else {
            kinds.insert(kind, Told { last: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(told.last) < PAUSE {
            told.left_out += 1;
            return None;
        }
        told.last = now;
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: Kind = ("refused", "its store failed");
    const ROOM: Kind = ("refused", "room in the ledger");

    #[test]
    fn one_of_a_kind_goes_out_in_a_pause_with_the_number_of_those_left_out() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at = |seconds, kind| seldom.next(kind, start + Duration::from_secs(seconds));
        assert_eq!([at(0, STORE), at(1, STORE), at(9, STORE)], [Some(0), None, None]);
        assert_eq!(at(9, ROOM), Some(0), "another kind waits for its own");
        assert_eq!([at(10, STORE), at(11, STORE), at(20, STORE)], [Some(2), None, Some(1)]);
        assert_eq!(at(3_600, STORE), Some(0));
    }

    #[test]
    fn kinds_are_bounded() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        for number in 0..2 * KINDS_MAX {
            seldom.next(("refused", String::leak(number.to_string())), now);
        }
        assert_eq!(seldom.0.lock().unwrap().len(), KINDS_MAX + 1);
        assert_eq!(seldom.next(("refused", "one more"), now), None);
    }
}
