//! The shared ledger on PostgreSQL, 14 and up: several gateways, one truth.
//!
//! It keeps each rule of [`onlyonce_ledger::store`] with one statement for each batch (`sql/apply.sql`, which names the
//! races that it closes), on few connections, by the server's clock. Several processes may use it at once, and so may two
//! versions: see [`mod@migrate`] for the rule by which a schema changes.
//!
//! Which file to open first: `store.rs` for the seam, `apply.rs` for what becomes of a batch, `connections.rs` for what
//! becomes of a connection, `error.rs` for which failures prove that nothing was written, `open.rs` for what is checked
//! before anything is served.
//!
//! It does not decide anything about records. It makes no table by itself: that is [`PostgresStore::migrate`]. It never
//! breaks off a statement that may have been sent: it closes the connection and says that nobody knows.

mod address;
mod apply;
mod batch;
mod blocked;
mod connection;
mod connections;
mod durability;
mod error;
mod heads;
pub mod migrate;
mod open;
mod reach;
mod sql;
mod standbys;
mod store;
mod sweep;
mod warnings;

pub use error::{OpenError, OpenErrorKind};
pub use migrate::Migrated;
pub use open::Options;
pub use store::PostgresStore;
