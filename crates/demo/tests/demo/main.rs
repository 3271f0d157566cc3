//! The demo as a person and a terminal meet it, with a stand-in for the gateway.
//!
//! The stand-in keeps just enough of the contract for the page; the real gateway is tested where it lives.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

mod bank;
mod client;
mod gateway;
mod page;

use std::net::SocketAddr;

use onlyonce_demo::{Demo, Options};

/// A demo on free ports.
async fn demo() -> Demo {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Demo::start(Options { page: Some(anywhere) }, gateway::start).await.unwrap()
}
