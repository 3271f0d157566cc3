//! Since when a clock that several processes share runs evenly, as far as one of them knows.
//!
//! What is written in a row ends by the clock that its writer knew. If that clock has been set forward since, the row
//! seems older than it is: its owner holds his lease by the time that passes, and an upstream works by it. So a row that
//! was written before is read as if its clock had been moved along. By how much it was set before this process began to know it,
//! or whether another clock wrote the row, nobody can tell: then the whole time counts from that beginning. Set back, a
//! clock makes rows seem younger, which ends nothing early.
//!
//! Invariant: read so, no lease has passed that its owner may still hold, and no time in which an upstream may work.

use std::time::Duration;

use onlyonce_core::{Record, State, Timestamp};

/// The longest that a process goes on writing by a time that it heard before the clock was set: stores ask for the time every
/// two seconds.
const UNHEARD: Duration = Duration::from_secs(5);

/// Since when a clock runs evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steady {
    /// By the clock itself: when it was set, or this process began to know it.
    pub since: Timestamp,
    /// By so much it was set forward before, in all.
    pub ahead: Duration,
}

impl Steady {
    /// The record by the clock of now.
    #[must_use]
    pub fn seen(&self, mut record: Record) -> Record {
        match &mut record.state {
            // Whoever held it then has measured a whole lease since, at most.
            State::InProgress { lease_until } if lease_until.minus(record.policy.lease) < self.since => {
                let end = self.since.plus(record.policy.lease).plus(UNHEARD);
                *lease_until = end.max(*lease_until);
            }
            // The same of whoever listened then, and of the upstream after him.
            State::Unknown { since, settle_from, .. } if *since < self.since => {
                let listening = settle_from.since(*since);
                *settle_from = settle_from.plus(self.ahead).max(self.since.plus(listening));
            }
            State::InProgress { .. }
            | State::Unknown { .. }
            | State::Released { .. }
            | State::Completed { .. }
            | State::Tombstone { .. } => {}
        }
        record
    }
}

#[cfg(test)]
mod tests;
