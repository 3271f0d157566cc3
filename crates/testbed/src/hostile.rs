//! Upstreams with one named fault each, on raw TCP.
//!
//! A [`Behaviour`] is a name for a [`Plan`]: how much of a request is read, what is written, how it ends.
//! The table that turns one into the other is `behaviour.rs`; what no name covers is written as a plan.
//!
//! Invariant: a request is recorded when its head was read whole, and its body only when that was read
//! whole. What is recorded was received; whether it "took effect" is for the test to define, for example as
//! [`Hostile::executions`]: whole requests per key.

mod behaviour;
mod conversation;
mod plan;
mod received;
mod server;

pub use self::{
    behaviour::{BODY, BYTE_PAUSE, Behaviour, HUNDRED_MB, IDLE_CLOSE},
    plan::{Act, Coding, End, Idle, Piece, Plan, Reads},
    received::Received,
    server::Hostile,
};
