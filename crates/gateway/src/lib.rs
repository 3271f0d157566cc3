//! The gateway: the once-per-key layer of `onlyonce_http` around a reverse proxy, with an admin listener beside it.
//!
//! What was seen upstream is told to the layer as an outcome class (`upstream`); records are decided elsewhere.
//! [`Gateway::start`] is the whole of it: configuration in, two listeners out.

pub mod admin;
pub mod config;
pub mod gateway;
pub mod start_error;

mod admission;
mod cors;
mod descriptors;
mod head;
mod joined;
mod principal;
mod probe;
mod published;
mod registry;
mod routes;
mod server;
mod upstream;
mod workers;

pub use config::Config;
pub use gateway::{Gateway, Running};
pub use onlyonce_backends::Place;
pub use start_error::{StartError, StartErrorKind};
