//! Test instruments for HTTP servers: upstreams that count, upstreams that misbehave, a client and a
//! proxy that cut connections where they are told to, and control over a child process.
//!
//! | instrument | file | for |
//! |---|---|---|
//! | [`effects::Upstream`] | `effects.rs` | an honest upstream that counts every execution, held at [`Gate`]s |
//! | [`hostile::Hostile`] | `hostile.rs` | an upstream with one named fault |
//! | [`client::Connection`] | `client.rs` | raw HTTP/1.1, byte-exact answers, hanging up at a chosen point |
//! | [`process::Server`] | `process.rs` | a child process: readiness, signals, exit code, transcript |
//! | [`servers::Postgres`], … | `servers.rs` | private PostgreSQL, Redis, Redis Cluster, pgbouncer |
//! | [`tls::Front`] | `tls.rs` | TLS in front of any of them, certificates, handshakes that fail |
//! | [`proxy::Balancer`] | `proxy/balancer.rs` | one address in front of several servers |
//! | [`proxy::Proxy`] | `proxy.rs` | cuts, drops, holds and delays between a client and a server |
//!
//! Everything listens on loopback, waits by signal rather than by sleeping, and is bounded by a named
//! constant. A wait that runs into its bound panics with what it waited for: in a test that is the message
//! one wants. This crate knows no other crate of the workspace, and no product code depends on it.

pub mod client;
pub mod effects;
pub mod hostile;
pub mod process;
pub mod proxy;
pub mod servers;
pub mod tls;

mod chance;
mod gate;
mod headers;
mod listening;
mod socket;
mod wire;

pub use self::{
    gate::{Gate, HOLD_LIMIT, WAIT_LIMIT},
    headers::Headers,
    socket::Close,
};
