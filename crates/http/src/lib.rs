//! The tower layer that makes a service act once per key.
//!
//! [`Once`] wraps any `tower::Service` over HTTP. A request without a key, or on a route without rules, passes
//! untouched. A keyed one is read whole, judged by [`onlyonce_ledger`], and at most one of its repeats reaches the
//! service; the others get what that one got. Which answer means what is data in `onlyonce_core::outcome`; this crate
//! knows no backend and decides nothing about records.
//!
//! A keyed request: [`service`] → `search` (key, principal) → `exchange` (body, `sameness`, look-up, waiting; ends with its
//! client) → `execution` (claim, call, record; outlives its client) → `answer`.

pub mod body;
pub mod carriers;
pub mod fault;
pub mod headers;
pub mod layer;
pub mod operations;
pub mod path_key;
pub mod pattern;
pub mod problem;
pub mod request_body;
pub mod rules;
pub mod sending;
pub mod service;
pub mod shared;
pub mod stored;
pub mod telemetry;

mod answer;
mod buffers;
mod capture;
mod exchange;
mod execution;
mod forgotten;
mod incoming;
mod inner;
mod observe;
mod open;
mod sameness;
mod search;
mod seldom;

pub use body::Body;
pub use carriers::Carriers;
pub use layer::Layer;
pub use path_key::PathKey;
pub use pattern::Pattern;
pub use request_body::RequestBody;
pub use rules::Rules;
pub use sending::{NoAnswer, Start};
pub use service::Once;
pub use shared::{Drained, Shared};
