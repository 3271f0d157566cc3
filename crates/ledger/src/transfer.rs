//! Moving a ledger: out of one store into a file, and from there into another.
//!
//! [`export`] closes the ledger to claims and to what people and probes settle, waits until nothing runs on it any more and no
//! answer can come, and copies all of it: the identity with its wrapped key, every row as it stands with its result as it is
//! sealed, and what the store keeps of the audit. [`import`] writes that where nothing later stands. No secret is needed for
//! either, and the ledger opens with the one that it has. The file is described in [`mod@format`].
//!
//! Invariant: not one answer changes, but for what was in progress where the ledger was not closed; that becomes unknown, with
//! its `settle_after` counted from the import. Whoever reads half a file knows it, before he closes a ledger that takes claims;
//! and a ledger of which half was written opens for nobody.

use std::{error::Error as StdError, fmt, io};

use onlyonce_core::Timestamp;

use crate::{identity::OpenError, store};

mod close;
mod export;
pub mod format;
mod import;
mod merge;

pub use close::{Reopened, reopen};
pub use export::{Export, export};
pub use import::{Input, Seekable, import};

/// What a transfer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// It waits until every process has seen that the ledger is closed.
    Closing,
    /// It waits for operations that still run, and for those whose outcome is unknown and may yet be answered, until then at the
    /// latest.
    Ending {
        /// How many run.
        running: usize,
        /// How many may yet be answered, and until when.
        listening: Option<(usize, Timestamp)>,
    },
    /// It reads the file through, before anything is written.
    Checking,
    /// It copies.
    #[default]
    Copying,
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// With what.
    pub step: Step,
    /// Records that were copied.
    pub records: u64,
    /// Bytes that were written, or read.
    pub bytes: u64,
    /// Which part of an export's records is behind it, from 0 to 1: ids are spread evenly. Of an import it is not known.
    pub part: f64,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records in the file.
    pub records: u64,
    /// Results in the file.
    pub results: u64,
    /// Audit entries in the file.
    pub audit: u64,
    /// Of the records, those that could not be read, and were moved as they are: their keys are refused as before.
    pub damaged: u64,
    /// Import: records that were in progress, and are unknown now.
    pub became_unknown: u64,
    /// Import: records that the ledger had in the same state or a later one, and keeps.
    pub kept: u64,
    /// Import: records of which file and ledger tell of two attempts, neither known to have ended before the other began. The
    /// operation may have been executed twice.
    pub contradictions: u64,
    /// Import: by which secret the ledger opens now.
    pub secret: Wrapped,
}

/// By which secret a ledger opens after an import: that of the wrapping which was made later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrapped {
    /// File and ledger had the same, or there was no ledger before.
    #[default]
    Alike,
    /// The one that it had: the file was written under another.
    AsBefore,
    /// That of the file: it was rewrapped there, and before the ledger opened with another.
    AsInFile,
}

/// Why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store failed; it can be done again.
    Store,
    /// The file could not be read or written.
    Io,
    /// The file is cut, damaged, of a newer format or none at all.
    File,
    /// The ledger is another one, is missing, or cannot be read by this version.
    Ledger,
}

/// Failed to move a ledger.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// Why.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Why, in words, and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self {
            source: Some(Box::new(error)),
            ..Self::new(ErrorKind::Store, "the store failed; it can be done again")
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::new(
                ErrorKind::File,
                "the file is cut: it does not end as an export does; export again",
            );
        }
        Self {
            source: Some(Box::new(error)),
            ..Self::new(ErrorKind::Io, "the file could not be read or written")
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::new(ErrorKind::Ledger, error.detail())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to move the ledger: {}", self.detail)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
