//! The reference pages are the tests' tables: each row of `docs/reference/contract.md` is carried out against a real
//! gateway over a socket, and what was seen must be what its cells say; each problem document of
//! `docs/reference/problems.md` must be one that was really answered.
//!
//! A row without a scenario fails, and so does a scenario without a row. What only a broken store or a handler in the
//! same process can show runs behind a socket of the test itself, with the same layer.

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

mod layer;
mod page;
mod run;

mod answers;
mod outcomes;
mod problems;
