//! Why the demo could not start or go on.

use std::error::Error as Source;
use std::{fmt, io};

/// The demo failed to start or to go on; [`Error::kind`] says where.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    source: Box<dyn Source + Send + Sync>,
}

/// What the demo was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A listener of the demo could not be opened: the address is taken or not of this machine.
    Listen,
    /// The caller's gateway did not start.
    Gateway,
    /// The instructions could not be written to standard output.
    Print,
    /// One of the demo's servers ended by itself.
    Serve,
}

impl Error {
    /// What the demo was doing.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn listen(source: io::Error) -> Self {
        Self { kind: Kind::Listen, source: source.into() }
    }

    pub(crate) fn gateway(source: impl Into<Box<dyn Source + Send + Sync>>) -> Self {
        Self { kind: Kind::Gateway, source: source.into() }
    }

    pub(crate) fn print(source: io::Error) -> Self {
        Self { kind: Kind::Print, source: source.into() }
    }

    pub(crate) fn serve(source: impl Into<Box<dyn Source + Send + Sync>>) -> Self {
        Self { kind: Kind::Serve, source: source.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Listen => "failed to listen for the demo",
            Kind::Gateway => "failed to start the demo's gateway",
            Kind::Print => "failed to print the demo's addresses",
            Kind::Serve => "failed to go on serving the demo",
        })
    }
}

impl Source for Error {
    fn source(&self) -> Option<&(dyn Source + 'static)> {
        Some(&*self.source)
    }
}
