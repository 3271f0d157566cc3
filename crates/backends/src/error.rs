//! Why a ledger was not opened: what was asked for, and what would be valid.

use std::fmt;

use onlyonce_ledger::{
    identity::{OpenError, OpenErrorKind, Secret},
    transfer,
};

use crate::place::Place;

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

/// What went wrong with a ledger, and which one that is: whoever took its URL from the environment has not seen it.
impl Place {
    pub(crate) fn not_opened(&self, error: OpenError) -> Error {
        let detail = error.detail();
        let told = match error.kind() {
            OpenErrorKind::Secret => {
                format!(
                    "failed to open the ledger {self}: {detail}. Look at ONLYONCE_SECRET{}; after `onlyonce ledger rewrap` only \
                     the new one opens it",
                    self.secret_beside()
                )
            }
            // Opening did not fail.
            OpenErrorKind::Time => format!("{self}: {detail}"),
            _ => format!("failed to open the ledger {self}: {detail}"),
        };
        Error::new(ErrorKind::Ledger, told).because(error)
    }

    pub(crate) fn not_moved(&self, error: transfer::Error) -> Error {
        match error.kind() {
            transfer::ErrorKind::Ledger => {
                let told = format!("failed to move the ledger {self}: {}", error.detail());
                Error::new(ErrorKind::Ledger, told).because(error)
            }
            transfer::ErrorKind::Store | transfer::ErrorKind::Io | transfer::ErrorKind::File => {
                Error::new(ErrorKind::Transfer, error.to_string()).because(error)
            }
        }
    }

    fn secret_beside(&self) -> String {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(directory) => {
                format!(", or else at the file {}", crate::secret::file(directory).display())
            }
            _ => String::new(),
        }
    }
}

/// A secret that cannot be one, by the name that people know it by.
pub(crate) fn secret(name: &str, text: String) -> Result<Secret, Error> {
    Secret::new(text)
        .map_err(|error| Error::new(ErrorKind::Ledger, format!("{name}: {}", error.detail())).because(error))
}
