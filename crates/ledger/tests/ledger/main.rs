//! What the engine guarantees, over a store that fails in every way a store may fail.
//!
//! The clock is paused: nothing here waits for time, but for signals of the [`faulty`] store. The exception is
//! [`leases`]: an attempt judges its lease by a clock that cannot be paused.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod begun;
mod capacity;
mod chance;
mod chaos;
mod claims;
mod clocks;
mod drops;
mod elsewhere;
mod ends;
mod faulty;
mod imports;
mod late;
mod leases;
mod operators;
mod pending;
mod processes;
mod reruns;
mod restored;
mod rewrap;
mod start_up;
mod transfer;
mod unreachable;
mod vanished;
mod waiting;
