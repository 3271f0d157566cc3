//! Several gateways on one ledger, on each backend that they can share, with the real servers: what one has done is done,
//! whatever becomes of the other.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

#[path = "../storm/chance.rs"]
#[expect(dead_code, reason = "each test program uses its part")]
mod chance;
mod clock;
mod duplicates;
mod exhausted;
mod freed;
#[path = "../support/gateway.rs"]
mod gateway;
mod handed_on;
mod ledger;
mod order;
mod pair;
mod restored;
mod rewrap;
mod still;
#[path = "../contract/transfer.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod transfer;
