//! A TCP proxy between a client and a server that breaks connections where it is told to.
//!
//! ```no_run
//! # async fn example(server: std::net::SocketAddr) {
//! use onlyonce_testbed::proxy::{Fault, Proxy};
//!
//! let proxy = Proxy::start(server).await;
//! proxy.next(Fault::drop_answer()); // the next connection loses its answer, those after it are whole
//! # }
//! ```
//!
//! It copies bytes and knows no protocol: a fault is placed by counting the bytes of one direction of one
//! connection. Invariant: exactly the bytes before a cut are forwarded, none after it. Whether they arrive is
//! up to the kernel: RST may overtake what the receiver has not read, if the receiver's buffer is full.

mod balancer;
mod fault;
mod relay;
mod server;

pub use self::{
    balancer::Balancer,
    fault::{Fault, Flow},
    server::Proxy,
};
