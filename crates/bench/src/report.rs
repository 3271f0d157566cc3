//! What was measured, as a table, as JSON and as a picture; and the one place that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

mod aims;
mod json;
mod plot;
mod table;

use std::fmt::Display;

use crate::{
    machine::Machine,
    rounds::{self, Row},
    run::Scale,
    start_up::Full,
    waiters::Crowd,
};

/// Everything that a run has found out.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) crowd: Crowd,
    pub(crate) full: Full,
    pub(crate) scale: Scale,
}

impl Report {
    /// The row of a target.
    fn row(&self, name: &str) -> &Row {
        self.rows.iter().find(|row| row.name == name).expect("every target has been measured")
    }

    /// How a target's rate compares with another's.
    fn ratio(&self, name: &str, to: &str) -> f64 {
        self.row(name).requests_per_second / self.row(to).requests_per_second
    }

    /// How a target's rate compares with what it is compared with: replays do not reach the upstream, so with that.
    fn own_ratio(&self, name: &str) -> (f64, &'static str) {
        match name {
            rounds::REPLAY | rounds::BARE => (self.ratio(name, rounds::BARE), rounds::BARE),
            _ => (self.ratio(name, rounds::NGINX), rounds::NGINX),
        }
    }
}

/// What was asked for.
pub(crate) fn data(text: impl Display) {
    println!("{text}");
}

/// What is going on.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// Why there is nothing.
pub(crate) fn complain(text: impl Display) {
    eprintln!("\nerror: {text}");
}
