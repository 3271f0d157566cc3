//! From a ledger URL to an open ledger, for everything that opens one.
//!
//! [`Place`] is a URL that was understood; [`Place::open`] opens what is there. Invariant: this is the one crate that
//! knows which backends exist; whoever stands above it asks for features and holds a [`onlyonce_ledger::Ledger`].

pub mod error;
pub mod open;
pub mod place;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod address;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod secret;
mod upkeep;

pub use error::{Error, ErrorKind};
pub use onlyonce_ledger::identity::Noted;
pub use onlyonce_ledger::transfer::{Export, Input, Progress, Reopened, Step, Summary, Wrapped};
pub use open::{Opened, Options};
pub use place::Place;
pub use upkeep::NEW_SECRET;
