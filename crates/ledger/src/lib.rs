//! The async engine over a ledger.
//!
//! It turns requests, attempts, operators and start-up into events for [`onlyonce_core::decide()`], writes what comes
//! back as compare-and-set through a [`store::Store`], and deals with what a store can do to a write: batch it, lose
//! its reply, or refuse it. It knows nothing of HTTP.
//!
//! A keyed request goes [`Ledger::look_up`] → [`begin::Leader::claim`] → [`Attempt::start`] → [`Attempt::complete`],
//! [`Attempt::release`] or [`Attempt::lose_track`].

pub mod attempt;
pub mod audit;
pub mod begin;
pub mod boxed;
pub mod clock;
pub mod error;
pub mod gate;
pub mod identity;
pub mod intercept;
pub mod io;
pub mod ledger;
pub mod memory;
pub mod meter;
pub mod operator;
pub mod store;
pub mod transfer;

mod admission;
mod aead;
mod attempts;
mod claiming;
mod counters;
mod doubted;
mod elsewhere;
mod engine;
mod flights;
mod measured;
mod random;
mod rounds;
mod seal;
mod tally;
mod vanished;
mod waiting;
mod writer;

pub use attempt::Attempt;
pub use error::{Error, ErrorKind};
pub use ledger::{Found, Ledger, Options};
pub use meter::Meter;
