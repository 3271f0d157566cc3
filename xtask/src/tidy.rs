//! `cargo xtask tidy`: the rules of this repository that a machine can keep.
//!
//! Invariant: each rule is one file beside the others, and each has a test that shows it fail on a bad input.
//! It reads the tree and `cargo metadata`; it changes nothing and asks no other host.

use std::fmt;

use crate::console;
use crate::failure::Failure;

mod cited;
mod configuration;
mod exit_codes;
mod faults;
mod hazards;
mod leaks;
mod licences;
mod links;
mod markdown;
mod metrics;
mod module_docs;
mod names;
mod problems;
mod repository;
mod rust;
mod size;
mod sleeps;
mod spdx;
mod tls;
mod unfinished;

use repository::Repository;

/// One rule: its name and the function that finds where it is broken.
type Check = (&'static str, fn(&Repository) -> Vec<Finding>);

const CHECKS: &[Check] = &[
    ("module-docs", module_docs::check),
    ("size", size::check),
    ("names", names::check),
    ("leaks", leaks::check),
    ("unfinished", unfinished::check),
    ("sleeps", sleeps::check),
    ("links", links::check),
    ("faults", faults::check),
    ("hazards", hazards::check),
    ("cited", cited::check),
    ("problems", problems::check),
    ("metrics", metrics::check),
    ("configuration", configuration::check),
    ("exit-codes", exit_codes::check),
    ("licences", licences::check),
    ("tls", tls::check),
];

/// A place where a rule is broken, and what to do there.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Runs every check and prints what each of them found.
pub(crate) fn run() -> Result<(), Failure> {
    let repository = Repository::load()?;
    let mut broken = Vec::new();
    for (name, check) in CHECKS {
        let findings = check(&repository);
        for finding in &findings {
            console::data(format_args!("{finding} [{name}]"));
        }
        if !findings.is_empty() {
            broken.push(*name);
        }
    }
    console::note(format_args!("tidy: {} checks over {} files", CHECKS.len(), repository.files().len()));
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(format!("not tidy: {}", broken.join(", ")))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        run().unwrap();
    }

    #[test]
    fn every_check_is_run() {
        let repository = Repository::load().unwrap();
        let files = repository.files().iter().filter(|file| file.path.starts_with("xtask/src/tidy/"));
        let checks =
            files.filter(|file| file.lines().any(|(_, line)| line.starts_with("pub(super) fn check(")));
        assert_eq!(checks.count(), CHECKS.len());
    }

    #[test]
    fn a_finding_can_be_clicked() {
        assert_eq!(Finding::new("a/b.rs", 7, "do that").to_string(), "a/b.rs:7: do that");
    }
}
