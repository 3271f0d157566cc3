//! What Onlyonce knows about a record, and nothing about where it is kept.
//!
//! Everything here is pure: no I/O, no clock, no randomness. [`decide()`] is the chart of a record's life as one
//! function; [`fingerprint`], [`canonical`] and [`key`] say when two requests are the same; [`outcome`] and
//! [`problem`] hold the status table and the catalogue of refusals as data.
//!
//! Invariant: for one scope and key, at most one attempt holds the claim at a time; no attempt starts after an
//! outcome is known; and none starts while the outcome is unknown, unless its policy promises that the upstream
//! deduplicates.

pub mod canonical;
pub mod carrier;
pub mod codec;
pub mod decide;
pub mod event;
pub mod fingerprint;
pub mod ids;
pub mod json;
pub mod key;
pub mod ledger_key;
pub mod metric;
pub mod outcome;
pub mod parameters;
pub mod path;
mod percent;
pub mod policy;
pub mod problem;
pub mod record;
pub mod scope;
pub mod time;

pub use decide::{Decision, Refusal, decide};
pub use event::Event;
pub use fingerprint::Fingerprint;
pub use ids::{AttemptId, Fence, HashIds, IdHasher, OperationRef, Owner, RecordId, Version};
pub use key::Key;
pub use ledger_key::LedgerKey;
pub use outcome::Outcome;
pub use policy::Policy;
pub use record::{Record, State};
pub use time::Timestamp;
