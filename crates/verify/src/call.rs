//! Requests as they go out, and what comes back.
//!
//! Each request has a connection of its own: nothing is pooled and nothing is ever sent again unasked, or what is
//! counted would not be what was sent.

mod answer;
mod body;
mod connection;
mod curl;
mod fault;
mod minted;
mod names;
mod origin;
mod places;
mod request;
mod room;

pub use answer::{Answer, Lost, Outcome};
pub(crate) use answer::{shorten, told};
pub use body::Body;
pub(crate) use connection::{NO_ADDRESS, Way, exchange};
pub(crate) use curl::variable;
pub use curl::{Together, curl};
pub use fault::Fault;
pub use minted::Minted;
pub use names::Names;
pub(crate) use names::quoted as shell_word;
pub use origin::{Origin, OriginError};
pub(crate) use places::{Place, Places};
pub use request::{Manner, Request, Who};
pub(crate) use room::Room;
