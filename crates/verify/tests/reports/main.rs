//! The three reports of one fixed run, whose API is hostile: what it answers would like to be markup, a credential, or an
//! instruction to the terminal.
//!
//! What they look like stands in files beside this one. Where it changes on purpose, the failing test says where it has
//! written the new one.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod expected;
mod fixed;

mod html;
mod json;
mod text;
