//! Why a command did not do what was asked.

use std::io;

use onlyonce_backends::{Error, ErrorKind};

use crate::exit::{Exit, complain};

/// Failed, or was refused.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, text: text.into() }
    }

    /// The command line has to be written otherwise.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(text) }
    }

    /// The URL or the environment has to be another.
    pub(super) fn config(text: impl Into<String>) -> Self {
        Self { exit: Exit::Config, ..Self::new(text) }
    }

    /// Says so, and gives the exit code.
    pub(super) fn tell(self) -> Exit {
        complain(&self.text);
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Url | ErrorKind::Options => Exit::Config,
            ErrorKind::Ledger => Exit::Ledger,
            ErrorKind::Transfer => Exit::Failure,
        };
        Self { exit, text: error.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(format!("failed to ask: {error}"))
    }
}
