//! The reverse proxy, and what it tells the layer about requests whose answer it did not see.
//!
//! Invariant: nothing is sent again once a byte of it was taken by the socket. *Not sent* is said only with proof: no
//! connection or no TLS session, a request that was handed back unwritten, or a socket that took no byte of it.
//! Everything else that ends without a whole answer is lost, and lost is unknown.

mod answer;
mod ask;
mod connection;
mod driver;
mod places;
mod pool;
mod proxy;
mod records;
mod session;
mod socket;
mod tap;
mod target;

pub(crate) use answer::AnswerBody;
pub(crate) use places::Places;
pub(crate) use pool::Pool;
pub(crate) use proxy::Proxy;
pub(crate) use target::Target;

/// The body of a request on its way up.
pub(crate) type RequestBody = onlyonce_http::RequestBody<hyper::body::Incoming>;
