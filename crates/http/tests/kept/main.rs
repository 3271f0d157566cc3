//! What is kept of an answer, when it is durable, and what happens where a bound of the contract is reached.
//!
//! The layer around a handler that the test feeds, over a store that the test holds. Clocks are paused where time counts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod bodies;
mod buffers;
mod drains;
mod fail_open;
mod forged;
mod late;
mod restored;
mod scene;
mod store;
mod tombstones;
mod unrecorded;
