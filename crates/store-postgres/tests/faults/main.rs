//! Faults with a real server: lost replies, locks of others, servers that stand still, are killed or warn, poolers, TLS, and
//! everything that is to be told at the start.
//!
//! What a store by itself cannot show is shown through a [`onlyonce_ledger::Ledger`] on it.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod begun;
mod busy;
mod clock;
mod durable;
mod killed;
mod locks;
mod log;
mod lost;
mod people;
mod reached;
mod refused;
mod rows;
mod standby;
mod stopped;
mod sweep;
mod told;
mod versions;
