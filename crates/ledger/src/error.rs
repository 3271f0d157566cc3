//! Failures of the engine, as its callers have to tell them apart.

use std::{fmt, sync::Arc};

use onlyonce_core::codec::Unreadable;

use crate::store::{self, ErrorKind as StoreErrorKind};

/// What a failure means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A bound is reached; nothing was done.
    Capacity,
    /// The ledger cannot be reached or read; nothing was done for this request.
    Unavailable,
    /// The record is there and damaged: never taken for absent.
    Damaged,
}

/// Failed to use the ledger. Its text ends with what was at the bottom of a failure of the store, for logs.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: &'static str,
    knows_nothing: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A bound, named.
    pub const fn capacity(bound: &'static str) -> Self {
        Self { kind: ErrorKind::Capacity, detail: bound, knows_nothing: false, source: None }
    }

    pub(crate) const fn unavailable(detail: &'static str) -> Self {
        Self { kind: ErrorKind::Unavailable, detail, knows_nothing: false, source: None }
    }

    /// The store was asked, and nothing was known of the record before. A bound that was reached is no absence: whoever fills
    /// it on purpose must not be let through for it.
    pub(crate) fn at_look_up(self) -> Self {
        let knows_nothing = matches!(self.kind, ErrorKind::Unavailable);
        Self { knows_nothing, ..self }
    }

    /// The process is ending.
    pub const fn shutting_down() -> Self {
        Self::unavailable("the process is ending")
    }

    /// What it means for the request.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the ledger could not be reached when the key was looked up, and nothing at all is known of it. Never after
    /// a record was seen, a claim was submitted, or while a request with the key runs in this process; and never for a bound,
    /// the store's own among them.
    pub const fn knows_nothing(&self) -> bool {
        self.knows_nothing
    }

    /// The bound that was reached, or what could not be done; for logs.
    pub const fn detail(&self) -> &'static str {
        self.detail
    }
}

impl From<Arc<store::Error>> for Error {
    fn from(source: Arc<store::Error>) -> Self {
        let (kind, detail) = match source.is_full() {
            true => (ErrorKind::Capacity, "calls to the store"),
            false => (ErrorKind::Unavailable, "its store failed"),
        };
        Self { kind, detail, knows_nothing: false, source: Some(source) }
    }
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Arc::new(source).into()
    }
}

impl From<Unreadable> for Error {
    fn from(source: Unreadable) -> Self {
        let (kind, detail) = match source {
            Unreadable::Newer(_) | Unreadable::NewerRecipe(_) => {
                (ErrorKind::Unavailable, "the record was written by a newer version")
            }
            Unreadable::Damaged => (ErrorKind::Damaged, "the record is damaged"),
        };
        Self { kind, detail, knows_nothing: false, source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to use the ledger: {}", self.detail)?;
        let store = self.source.as_ref().and_then(|source| source.source());
        let bottom = std::iter::successors(store, |error| error.source()).last();
        bottom.map_or(Ok(()), |bottom| write!(f, ": {bottom}"))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// How a write ended that did not get through.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nothing was written, and nothing will be.
    NotApplied(Error),
    /// The store does not take what the row contains. In doubt, an earlier copy of the same may still have landed.
    Content { error: Error, in_doubt: bool },
    /// It may have been written, or may yet be.
    InDoubt(Error),
}

impl Failure {
    pub(crate) fn of_store(error: Arc<store::Error>, in_doubt: bool) -> Self {
        match error.kind() {
            StoreErrorKind::Content => Self::Content { error: error.into(), in_doubt },
            StoreErrorKind::NotApplied if !in_doubt => Self::NotApplied(error.into()),
            StoreErrorKind::NotApplied | StoreErrorKind::Unknown | StoreErrorKind::Poisoned => {
                Self::InDoubt(error.into())
            }
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotApplied(error) | Self::Content { error, .. } | Self::InDoubt(error) => error,
        }
    }
}
