//! The shared ledger on Redis and Redis Cluster: several gateways, one truth, very high rates.
//!
//! It keeps each rule of [`onlyonce_ledger::store`] with one Lua script per operation and record (`scripts/*.lua`), each a
//! compare-and-set, and sends a batch as one pipeline to each server that has a part in it. Everything that belongs to
//! one record lies in one slot (`keys.rs`), so a single Redis and a Cluster have the same layout and the same code.
//!
//! Which file to open first: `store.rs` for the seam, `scripts/apply.lua` for a write, `router.rs` for what a server's answer
//! means, `losses.rs` for what a server can lose, `watch.rs` for what is looked at while it runs.
//!
//! Invariant: a write is *not applied* only if it was never sent or a server's answer proves it; whatever else goes wrong
//! is *unknown*. Nothing of it is sent twice by the client; what this crate sends again, a server has refused.
//!
//! It does not decide anything about records, and does not make a server safe that is not: one that can lose what it has
//! acknowledged is refused, unless its operator accepts that.

mod audit;
mod error;
mod keys;
mod link;
mod losses;
mod node;
mod open;
mod pages;
mod permissions;
mod reply;
mod request;
mod router;
mod scripts;
mod slot;
mod store;
mod tls;
mod topology;
mod url;
mod watch;

pub use error::{OpenError, OpenErrorKind};
pub use open::Options;
pub use store::RedisStore;
pub use url::{Url, UrlError};
