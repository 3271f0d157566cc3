//! An honest upstream that counts its effects.
//!
//! ```no_run
//! # async fn example() {
//! use onlyonce_testbed::{Gate, effects::{Answer, Upstream}};
//!
//! // Executes every request and answers 201 with an effect id that no other execution has.
//! let upstream = Upstream::counting().await;
//!
//! // The same, held before the effect and between effect and answer.
//! let (before, after) = (Gate::closed(), Gate::closed());
//! let upstream = Upstream::gated(&before, &after).await;
//! before.arrived(1).await; // a request is there, nothing has happened
//! before.open();
//! after.arrived(1).await; // the effect has happened, nobody knows
//! assert_eq!(upstream.total(), 1);
//! after.open();
//!
//! // Any other behaviour. The effect happens where `execute` is called, and only there.
//! let upstream = Upstream::start(|arrival| async move {
//!     if arrival.seen.method == "GET" { return Answer::new(404) }
//!     let effect = arrival.execute();
//!     Answer::new(500).body(effect)
//! }).await;
//! # }
//! ```
//!
//! A request runs to its end even if its connection ends first, as it does in most servers. Invariant: a
//! request is seen before it can be executed, and only whole requests are seen.

mod answer;
mod arrival;
mod tally;
mod upstream;

pub use self::{
    answer::Answer,
    arrival::{Arrival, Seen},
    tally::Effects,
    upstream::Upstream,
};
