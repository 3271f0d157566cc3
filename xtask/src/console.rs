//! Everything that `cargo xtask` prints: data to stdout, the rest to stderr.
//!
//! It uses no colour, so a log file reads like the terminal.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::fmt::Display;

/// What was asked for: findings, tables, help.
pub(crate) fn data(text: impl Display) {
    println!("{text}");
}

/// What is going on.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// The beginning of a step.
pub(crate) fn heading(text: impl Display) {
    eprintln!("\n== {text}");
}

/// The end of a command that did not succeed.
pub(crate) fn failed(text: impl Display) {
    eprintln!("\nerror: {text}");
}
