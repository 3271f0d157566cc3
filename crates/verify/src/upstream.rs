//! The verifier as the application behind what is verified.
//!
//! Whoever verifies a gateway or a middleware lets it forward to here. The [`Application`] counts effects itself, keeps
//! what arrived, and follows a [`Script`] for an operation: what it answers, how long it works, where it is held until a
//! check lets it go on, and where it breaks off. An operation is known by the fresh value in its request, wherever that
//! stands; one without a script is carried out and answered like that of any API.
//!
//! Invariant: an effect is counted once it is taken, whoever still waits for its answer. A caller that goes away ends
//! nothing here: what a check holds is held for the system that is verified, not for its connection.

mod answer;
mod application;
mod arrival;
mod book;
mod documents;
mod pieces;
mod script;
mod tokens;

#[cfg(test)]
mod tests;

pub use application::Application;
pub use arrival::Arrival;
pub(crate) use documents::Documents;
pub use script::{Act, Barrier, Script, Stage};
