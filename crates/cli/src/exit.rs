//! The exit codes, documented and stable, and the one way in which errors are told.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It failed or was refused.
    Failure = 1,
    /// The command line is not valid; the argument parser uses it too.
    Usage = 2,
    /// The configuration is not valid.
    Config = 3,
    /// An address could not be listened on.
    Listen = 4,
    /// The ledger did not open: secret, identity, lock, disk.
    Ledger = 5,
    /// The ledger failed for good while running. Start the process again: opening it replays its journal.
    Poisoned = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Tells an error, on stderr.
#[expect(clippy::print_stderr, reason = "errors of the command line go to stderr")]
pub(crate) fn complain(text: &str) {
    eprintln!("error: {text}");
}

/// Tells how things go, on stderr.
#[expect(clippy::print_stderr, reason = "stdout is for data")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}
