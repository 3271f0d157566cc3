//! TLS in front of any instrument, with the faults that only TLS has, and certificates for it.
//!
//! ```no_run
//! # async fn example() {
//! use onlyonce_testbed::{effects::Upstream, tls::{Authority, Front, Manner}};
//!
//! let (authority, upstream) = (Authority::new(), Upstream::counting().await);
//! let front = Front::start(upstream.addr(), authority.certify(&["127.0.0.1"]), Manner::default()).await;
//! std::fs::write("ca.pem", authority.pem()).unwrap();
//! let _ = front.url(); // https://127.0.0.1:PORT
//! # }
//! ```
//!
//! What the instrument behind it sends goes through as it is, and so do its FIN and RST.

mod authority;
mod front;
mod relay;

pub use self::{
    authority::{Authority, Certified},
    front::{Ends, Front, Manner, Shakes},
};
