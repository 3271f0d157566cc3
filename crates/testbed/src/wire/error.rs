//! Why a message could not be exchanged.

use std::{fmt, io};

/// What stopped an exchange; [`Error::kind`] tells the cases apart that a test distinguishes.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    detail: &'static str,
    received: usize,
    source: Option<io::Error>,
}

/// The classes of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing listens there.
    Refused,
    /// The peer ended in order (FIN) before the first byte of its message.
    Closed,
    /// The peer ended in order (FIN) inside its message.
    Truncated,
    /// The peer reset the connection (RST), or what was written met a connection already gone.
    Reset,
    /// A time limit ran out.
    TimedOut,
    /// The bytes are not the HTTP/1.1 that they should be.
    Malformed,
    /// A bound of this crate was exceeded.
    TooLarge,
    /// Another error of the operating system.
    Io,
}

impl Error {
    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many bytes of the awaited message had arrived; 0 means that no part of an answer was seen.
    pub fn received(&self) -> usize {
        self.received
    }

    pub(crate) fn new(kind: Kind, detail: &'static str) -> Self {
        Self { kind, detail, received: 0, source: None }
    }

    pub(crate) fn io(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Kind::Reset,
            _ => Kind::Io,
        };
        Self { kind, detail: "the socket failed", received: 0, source: Some(error) }
    }

    /// The same end, seen after a message has begun.
    pub(crate) fn within_message(mut self) -> Self {
        if self.kind == Kind::Closed {
            self.kind = Kind::Truncated;
        }
        self
    }

    pub(crate) fn after(self, received: usize) -> Self {
        Self { received, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, detail, received, .. } = self;
        write!(f, "failed to exchange a message: {kind:?}, {detail} (after {received} bytes)")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
