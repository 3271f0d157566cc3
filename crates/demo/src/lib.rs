//! The demo: the bank of the classic story, twice, and a page to double-click.
//!
//! One bank stands behind a gateway, its naive twin stands bare, and one page sends the same requests to
//! both. Ana sends 100 € to Luis; whoever clicks twice pays once on one side and twice on the other.
//!
//! Invariant: the only difference between the two sides is the `Idempotency-Key` header and the gateway that
//! honours it. Neither the page, nor its server, nor the bank guards against a repeat.
//!
//! Everything listens on loopback, is kept in memory and ends with the process. The crate does not know how a
//! gateway is built: the caller starts one in front of the bank, see [`Demo::start`].

mod bank;
mod demo;
mod error;
mod instructions;
mod page;

pub use crate::demo::{Addresses, Demo, Options, PAGE_PORT, run};
pub use crate::error::{Error, Kind};
