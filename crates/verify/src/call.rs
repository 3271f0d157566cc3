//! Requests as they go out, and what comes back.
//!
//! Each request has a connection of its own: nothing is pooled and nothing is ever sent again unasked, or what is
//! counted would not be what was sent.

mod answer;
mod connection;
mod curl;
mod fault;
mod origin;
mod request;

pub(crate) use answer::told;
pub use answer::{Answer, Lost, Outcome};
pub(crate) use connection::exchange;
pub use curl::{Together, curl};
pub use fault::Fault;
pub use origin::{Origin, OriginError};
pub use request::{Manner, Request, Who};
