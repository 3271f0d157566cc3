//! The middleware. Invariant: nothing here decides about records; the layer is that of `onlyonce_http`, and this crate is
//! what people who write services hold of it.
#![doc = include_str!("../README.md")]

mod drain;
mod handle;
mod identified;
mod layer;
mod opening;
mod operation;
mod operations;
mod problem;
mod routes;
mod settling;

#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "testing")]
pub mod testing;

pub use drain::Drained;
pub use handle::Onlyonce;
pub use identified::{Identified, PrincipalMissing};
pub use layer::Layer;
pub use onlyonce_backends::{Error, ErrorKind};
pub use onlyonce_core::{OperationRef, carrier::Carrier, json::Pointer, outcome::Outcome, scope::Principal};
pub use onlyonce_http::rules::{AfterRestore, Conflict};
pub use onlyonce_ledger as ledger;
pub use opening::Opening;
pub use operation::Operation;
pub use operations::{OPERATIONS_ROUTE, Operations};
pub use problem::Problem;
pub use settling::{Became, NotSettled, NotSettledKind, Settlement};

/// The service and the bodies behind a [`Layer`], for those who have to name them.
pub mod service {
    pub use onlyonce_http::{Body, Once, RequestBody, body::BoxError};
}
