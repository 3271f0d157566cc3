//! The verifier on what is ours: nothing fails. And on the demo's naive bank: what has to fail does.
//!
//! The plans are those of `docs/guides/verify`, which people use; only the ports are others.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod bank;
mod behind;
mod carriers;
mod killable;
mod report;
