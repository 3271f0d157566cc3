//! The embedded ledger: one process, one directory, durable, nothing to install.
//!
//! It keeps each rule of [`onlyonce_ledger::store`] on fjall, an LSM tree with a journal. Every batch is one journal
//! write and one `fdatasync`, and nothing of it can be read before that has returned: fjall's `WriteBatch::commit`
//! writes and syncs the journal first and touches the memtable afterwards (`fjall/src/batch/mod.rs`). One thread owns
//! all writes, so reading a row, comparing its version and replacing it cannot be interleaved with another write.
//!
//! Which file to open first: `store.rs` for the seam, `writer.rs` for a write's way to the disk, `open.rs` for what
//! is checked before anything is written, `expiry.rs` for what goes away by itself.
//!
//! It does not decide anything about records, does not share its directory with a second process, and does not go on
//! after a failed write: it is [poisoned](onlyonce_ledger::store::ErrorKind::Poisoned) until it is opened again.

mod clock;
mod directory;
mod error;
mod expiry;
mod health;
mod journal;
mod keyspaces;
mod known;
mod open;
mod replayed;
mod space;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{OpenError, OpenErrorKind};
pub use open::Options;
pub use store::EmbeddedStore;
