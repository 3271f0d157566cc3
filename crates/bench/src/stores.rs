//! How fast each backend claims and completes, beside the naive way on the same server in the same run; what expiry costs
//! meanwhile; and what becomes of PostgreSQL's tables.
//!
//! `cargo xtask bench stores` builds this and starts it. Everything goes through the real `Ledger`, in this process: gateways
//! in front would hide how stores differ. The naive ways use the same client libraries.
//!
//! Invariant: an operation that fails ends the run, ours and naive ones alike.

mod bloat;
mod callers;
mod curve;
mod expired;
mod expiry;
mod ledgers;
mod naive;
mod report;
mod rounds;
mod run;
mod servers;
mod unswept;

pub(crate) use run::{Options, run};
