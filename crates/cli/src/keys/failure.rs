//! Why a command did not do what was asked, and what to do about it.

use std::io::{self, Write};

use crate::exit::Exit;

/// Failed, or was refused.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, text: text.into(), hint: None }
    }

    /// The command line has to be written otherwise.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(text) }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says so, and gives the exit code.
    pub(super) fn tell(self, err: &mut dyn Write) -> Exit {
        if self.exit == Exit::Done {
            return self.exit;
        }
        let hint = self.hint.map_or_else(String::new, |hint| format!("\n\nhint: {hint}"));
        // If stderr is gone too, only the exit code is left to tell it.
        let _ = writeln!(err, "error: {}{hint}", self.text);
        self.exit
    }
}

impl From<io::Error> for Failure {
    /// A reader that has seen enough (`| head`) is no failure.
    fn from(error: io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failure };
        Self { exit, ..Self::new(format!("failed to write: {error}")) }
    }
}
