//! Tells people once that the server cannot be reached, and once that it can be again.
//!
//! All connections of a store share it: they lead to one server, and each that cannot be made would say the same. An idle store
//! asks for the time every few seconds, so that it is told there too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use onlyonce_ledger::clock::Boot;

use crate::{address::Address, error::Cause};

#[derive(Debug)]
pub(crate) struct Reach {
    place: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// People were told that it cannot be reached, and it has not been since.
    away: bool,
    /// When a connection was made last.
    made: Option<Boot>,
}

impl Reach {
    pub(crate) fn new(address: &Address) -> Self {
        Self { place: address.to_string(), known: Mutex::default() }
    }

    /// A connection was made at that time; says whether people were told.
    pub(crate) fn made(&self, at: Boot) -> bool {
        let mut known = self.known();
        known.made = Some(at);
        let back = std::mem::take(&mut known.away);
        if back {
            tracing::info!(ledger = self.place, "the ledger's PostgreSQL can be reached again");
        }
        back
    }

    /// None could be made by who began to at that time; says whether people were told.
    pub(crate) fn missed(&self, began: Boot, why: &Cause) -> bool {
        let mut known = self.known();
        // Who began before another succeeded has waited for a server that was away then.
        let late = known.made.is_some_and(|made| began <= made);
        if known.away || late || !why.is_away() {
            return false;
        }
        known.away = true;
        tracing::warn!(ledger = self.place, error = %why, "the ledger's PostgreSQL cannot be reached");
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Boot {
        Boot::now().plus(Duration::from_secs(seconds))
    }

    #[test]
    fn people_are_told_once_that_it_is_away_and_once_that_it_is_back() {
        let reach = Reach::new(&Address::parse("postgres://ana:s3same@db/pay").unwrap());
        let gone = Cause::Driver("connection refused".to_owned());
        assert!(!reach.made(at(1)), "it was never away");
        assert_eq!([2, 3, 4].map(|second| reach.missed(at(second), &gone)), [true, false, false]);
        assert_eq!([5, 6].map(|second| reach.made(at(second))), [true, false]);
        assert!(!reach.missed(at(5), &gone), "it was tried before it was back");
        assert!(reach.missed(at(7), &Cause::NoAnswer(Duration::from_secs(5))), "it is away again");
        assert!(reach.made(at(8)));
    }

    /// With as many connections as the server has, each that is tried would say that it is away, and each that ends that it is back.
    #[test]
    fn a_server_that_is_full_is_not_away() {
        let reach = Reach::new(&Address::parse("postgres://db/pay").unwrap());
        let full = Cause::Told { code: "53300".to_owned(), fatal: true, message: String::new() };
        assert!(!reach.missed(at(1), &full));
    }
}
