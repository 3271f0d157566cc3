//! Why a command of `cargo xtask` did not succeed, and what to do about it.
//!
//! Invariant: the text names what failed; the hint, if any, is something that can be typed or installed.

use std::fmt;
use std::process::ExitCode;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
    exit: u8,
}

impl Failure {
    /// Exit code when a check or a step failed.
    const FAILED: u8 = 1;
    /// Exit code when the command line was not understood.
    const USAGE: u8 = 2;

    /// A check or a step failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit: Self::FAILED }
    }

    /// The command line was not understood.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        let hint = Some("cargo xtask help".to_owned());
        Self { what: what.into(), hint, exit: Self::USAGE }
    }

    /// The same failure with what to do now; a hint that is already there is nearer to the cause and stays.
    pub(crate) fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
