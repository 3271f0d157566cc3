//! `onlyonce verify` as it is used: the binary, its exit codes, and what it says on which stream.
//!
//! What is asked are the verifier's own fixtures; that its checks judge rightly is tested in `crates/verify`.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod command;

mod asked;
mod exits;
mod refusals;
