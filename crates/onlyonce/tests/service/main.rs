//! The layer in a service: under every kind of stack, and what handlers and operators see of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod assertions;
mod drains;
mod endings;
mod log;
mod misuse;
mod nests;
mod operations;
mod readme;
mod routes;
mod send;
mod stacks;
