//! Child processes under control: start, readiness, signals, exit, transcript.
//!
//! ```no_run
//! # async fn example() {
//! use onlyonce_testbed::process::{Port, Server};
//!
//! let port = Port::reserve();
//! let listen = port.addr().to_string();
//! let mut server = Server::spawn("/path/to/onlyonce", ["gateway", "--listen", &listen], [("KEY", "value")]);
//! server.ready("listening on").await;
//! server.kill9().await;
//! # }
//! ```
//!
//! A child is killed when its [`Server`] is dropped. It stays in the process group of the test, so that an
//! interrupt from the keyboard reaches it too. Signals go to the child alone: a tracer around it must detach
//! itself (`strace -D`), so that the child is the traced process.

mod port;
mod server;
mod transcript;

pub(crate) use self::server::stands_still;
pub use self::{
    port::Port,
    server::{EXIT_LIMIT, READY_LIMIT, Server},
    transcript::{LINE_LIMIT, LINES_LIMIT},
};
