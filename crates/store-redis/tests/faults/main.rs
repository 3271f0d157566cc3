//! What a ledger on Redis keeps when its server, its cluster or the way there fails, with real servers.
//!
//! Each test is a fault, and has servers of its own. What must hold is the same in all of them: nothing runs twice, and what
//! was acknowledged stands.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod begun;
mod clock;
mod cluster;
mod cut;
mod kept;
mod listed;
mod load;
mod log;
mod opening;
mod replicas;
mod settings;
mod stopped;
mod tls;
