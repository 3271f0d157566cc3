//! Why a ledger's directory was not opened, and what a failed call means.
//!
//! Invariant: an error of a journal write or sync is never reported as *not applied*. fjall refuses all further
//! writes after one, and so does this store: [`poisoned`].

use std::{fmt, io, path::Path};

use onlyonce_ledger::store::{Error, ErrorKind};

/// Why a directory was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// Another process has it open.
    Locked,
    /// It lies on a network file system that was not allowed by name.
    NetworkFilesystem,
    /// It may not be written.
    ReadOnly,
    /// The disk is full.
    NoSpace,
    /// Its files cannot be read as what they should be.
    Damaged,
    /// A newer version of Onlyonce or of its storage engine wrote it.
    Newer,
    /// Another failure of the operating system.
    Io,
}

/// Failed to open a ledger's directory. The text names the directory and says what to do.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, path: &Path, advice: impl fmt::Display) -> Self {
        Self { kind, detail: format!("{}: {advice}", path.display()), source: None }
    }

    /// A failure of the operating system at `path`, while doing what `doing` says.
    pub(crate) fn io(path: &Path, doing: &str, error: io::Error) -> Self {
        let kind = kind_of(&error);
        let advice = match kind {
            OpenErrorKind::ReadOnly => {
                "the ledger must be writable by this process; check owner, mode and mount"
            }
            OpenErrorKind::NoSpace => "there is no space left; free some and start again, nothing is lost",
            _ => "see the cause",
        };
        Self { source: Some(error.into()), ..Self::new(kind, path, format_args!("{doing}: {advice}")) }
    }

    /// What fjall said when it opened the database at `path`.
    pub(crate) fn engine(path: &Path, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) => Self::io(path, "the storage engine could not read or write", error),
            fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                Self::io(path, "the storage engine could not read or write", error)
            }
            fjall::Error::Locked => Self::new(
                OpenErrorKind::Locked,
                path,
                "another process has the storage engine open: stop that one first",
            ),
            fjall::Error::InvalidVersion(Some(_))
            | fjall::Error::Storage(fjall::LsmError::InvalidVersion(_)) => Self::new(
                OpenErrorKind::Newer,
                path,
                "another version of the storage engine wrote it; use the version of Onlyonce that did",
            ),
            error => Self { source: Some(error.into()), ..Self::damaged(path, "its files are damaged") },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl fmt::Display) -> Self {
        let advice = "nothing was changed; restore it from a backup, for a ledger that forgets would run operations again";
        Self::new(OpenErrorKind::Damaged, path, format_args!("{what}; {advice}"))
    }

    /// Why.
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

fn kind_of(error: &io::Error) -> OpenErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenErrorKind::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenErrorKind::NoSpace,
        _ => OpenErrorKind::Io,
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to open the embedded ledger in {}", self.detail)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// A read that failed: whatever was to be written after it was not.
pub(crate) fn unread(error: fjall::Error) -> Error {
    Error::new(ErrorKind::NotApplied, error)
}

/// The journal could not be written or synced: the batch may be found after all when it is opened again.
pub(crate) fn poisoned(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Poisoned, error)
}
