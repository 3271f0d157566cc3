//! The contract from outside: the real gateway process, real sockets, an upstream that counts its effects.
//!
//! A test whose name begins with `fNN` is the story of a fault that was found in an existing system. Nothing sleeps:
//! requests are held at the upstream's gates, and the gateway's own metrics say who waits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

#[path = "../support/gateway.rs"]
mod gateway;

mod transfer;

mod born;
mod carriers;
mod clients;
mod cors;
mod dated;
mod deadlines;
mod duplicates;
mod durability;
mod fail_closed;
mod hang_ups;
mod http2;
mod kept;
mod keys;
mod leases;
mod observe;
mod operations;
mod operators;
mod outcomes;
mod pass_through;
mod principals;
mod problems;
mod published;
mod reruns;
mod results;
mod sameness;
mod secrets;
mod telemetry;
mod upstream_view;
mod waiting;
mod words;
