//! The page: one loopback listener that serves it and carries its requests to either side.
//!
//! The page works as a classic form; with scripts it sends the same requests itself and lists them. Its
//! server is the peer that the gateway trusts: it names the principal that the page acts as, and nothing that
//! a client sends can name another one. It also plays the network between browser and API, which may be slow
//! or lose an answer.
//!
//! Invariant: one request in, one request out. The server never repeats, holds back or deduplicates any.

mod answer;
mod carry;
mod form;
mod key;
mod ledger;
mod network;
mod routes;
mod side;
mod template;
mod view;

pub(crate) use self::routes::router;
pub(crate) use self::side::{Side, Sides};
