//! `onlyonce ledger`, and gateways on ledgers of every kind, as an operator starts them.
//!
//! The real process, on real servers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

#[path = "../contract/born.rs"]
mod born;
#[path = "../support/gateway.rs"]
mod gateway;
#[path = "../contract/transfer.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod transfer;

mod command;

mod migrate;
mod moves;
mod progress;
mod restored;
mod rewrap;
mod start_up;
