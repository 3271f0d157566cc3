//! What nobody sends by accident: each is refused before the ledger is asked and leaves nothing behind, or it can be
//! read in one way only and is.
//!
//! What the parser cannot read is answered by the server itself: a bare status, and the end of the connection.

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

mod scene;

mod bodies;
mod carriers;
mod expect;
mod framing;
mod heads;
mod paths;
mod slow;
mod targets;
mod who;
