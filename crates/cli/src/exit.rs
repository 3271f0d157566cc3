//! The exit codes, documented and stable, and the one way in which people are told things.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// Whether what is told stands among log lines that programs read.
static AMONG_JSON: AtomicBool = AtomicBool::new(false);

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
    /// `verify`: something that must hold does not.
    Faulty = 7,
    /// `verify`: nothing could be told, because the API was not reached, went away, its first answer was no success,
    /// or the requests that the run may send were spent before its end.
    Unverified = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// From here on what is told is JSON, one object on each line, with the members of a log line.
pub(crate) fn tell_as_json() {
    AMONG_JSON.store(true, Ordering::Relaxed);
}

/// Tells an error, on stderr.
pub(crate) fn complain(text: &str) {
    say("ERROR", || text.to_owned(), || format!("error: {text}"));
}

/// Tells how things go, on stderr.
pub(crate) fn tell(text: &str) {
    // Columns are for eyes.
    let words = || text.split_whitespace().collect::<Vec<_>>().join(" ");
    say("INFO", words, || text.to_owned());
}

#[expect(clippy::print_stderr, reason = "stdout is for data")]
fn say(level: &str, message: impl Fn() -> String, plain: impl Fn() -> String) {
    if !AMONG_JSON.load(Ordering::Relaxed) {
        return eprintln!("{}", plain());
    }
    let mut timestamp = String::new();
    // A line without its time is better than none.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    eprintln!(
        "{}",
        json!({ "timestamp": timestamp, "level": level, "message": message(), "target": "onlyonce" })
    );
}
