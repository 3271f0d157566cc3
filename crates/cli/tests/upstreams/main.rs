//! What goes wrong around the gateway: upstreams that break, connections that close, signals, full disks.
//!
//! The real process on real sockets. Each test says what the caller is told, what a repeat is told, and how often the
//! upstream got the request. Where something has to be waited for that nobody announces, the wait is bounded.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

#[path = "../support/gateway.rs"]
mod gateway;
#[path = "../contract/transfer.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod transfer;

mod disk;
mod files;
mod outcome;

mod broken;
mod config;
mod crowd;
mod drain;
mod framed;
mod full;
mod keep_alive;
mod large;
mod probe;
mod start_up;
mod tls;
mod unreached;
mod unusual;
