//! Why a ledger was not opened: what was asked for, and what would be valid.

use std::fmt;

use onlyonce_ledger::{identity::OpenError, transfer};

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The URL says nothing that is known here.
    Url,
    /// An option that means nothing for this ledger, or one that it needs.
    Options,
    /// The ledger, or the secret for it.
    Ledger,
    /// A ledger that was being moved: its store, or the file.
    Transfer,
}

/// Failed to open a ledger. Its text says what to do, and repeats nothing of a URL that may be a password.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What stood in the way.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::new(ErrorKind::Ledger, error.to_string()).because(error)
    }
}

impl From<transfer::Error> for Error {
    fn from(error: transfer::Error) -> Self {
        let kind = match error.kind() {
            transfer::ErrorKind::Ledger => ErrorKind::Ledger,
            transfer::ErrorKind::Store | transfer::ErrorKind::Io | transfer::ErrorKind::File => {
                ErrorKind::Transfer
            }
        };
        Self::new(kind, error.to_string()).because(error)
    }
}
