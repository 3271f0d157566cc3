//! Why the gateway did not start: the file, the key, the value, and what would be valid.

use std::fmt;

use onlyonce_backends::ErrorKind;

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartErrorKind {
    /// The configuration.
    Config,
    /// An address.
    Listen,
    /// The ledger.
    Ledger,
}

/// Failed to start.
#[derive(Debug)]
pub struct StartError {
    kind: StartErrorKind,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StartError {
    /// An error of `kind`; `detail` says what is wrong and what to do.
    pub fn new(kind: StartErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// With its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What stood in the way.
    pub const fn kind(&self) -> StartErrorKind {
        self.kind
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<onlyonce_backends::Error> for StartError {
    fn from(error: onlyonce_backends::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Url | ErrorKind::Options => StartErrorKind::Config,
            ErrorKind::Ledger | ErrorKind::Transfer => StartErrorKind::Ledger,
        };
        Self::new(kind, error.to_string()).because(error)
    }
}
