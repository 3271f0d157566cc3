//! `cargo xtask test`: everything that must hold before a change is merged, in order.
//!
//! Invariant: CI and the desk run exactly these steps; the first that fails ends the run, and its message
//! says how to run that step alone.
//! The crash storm (its bounded part) and the check of system calls are tests of `crates/cli` and run with
//! all others; `tools` comes before them because they need its programs.

use std::time::Instant;

use crate::failure::Failure;
use crate::servers::Servers;
use crate::tools;
use crate::{console, process, tidy, workspace};

mod python;
mod summary;

use summary::{Row, Verdict};

/// One thing that must hold.
struct Step {
    /// Its name in headings and in the summary.
    name: &'static str,
    /// What to type to run it alone.
    again: &'static str,
    run: fn() -> Result<(), Failure>,
}

const STEPS: &[Step] = &[
    Step { name: "format", again: "cargo fmt --all --check", run: format },
    Step { name: "tidy", again: "cargo xtask tidy", run: tidy::run },
    Step {
        name: "clippy",
        again: "cargo clippy --workspace --all-targets --all-features -- -D warnings",
        run: clippy,
    },
    Step {
        name: "no features",
        again: "for p in onlyonce onlyonce-backends; do cargo clippy -p $p --no-default-features || break; done",
        run: without_features,
    },
    Step { name: "tools", again: "cargo xtask tools", run: tools::ensure_all },
    Step { name: "tests", again: "cargo test --workspace --all-features", run: tests },
    Step {
        name: "python",
        again: "for d in examples/python benches/field; do (cd $d && python3 -m unittest) || break; done",
        run: python::run,
    },
    Step {
        name: "documentation",
        again: "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps",
        run: documentation,
    },
];

/// Runs all steps.
pub(crate) fn run() -> Result<(), Failure> {
    run_steps(STEPS)
}

fn run_steps(steps: &[Step]) -> Result<(), Failure> {
    let began = Instant::now();
    let mut rows: Vec<Row> = steps.iter().map(|step| Row::new(step.name)).collect();
    let mut outcome = Ok(());
    for (number, (step, row)) in (1..).zip(steps.iter().zip(&mut rows)) {
        console::heading(format_args!("{number}/{} {}", steps.len(), step.name));
        outcome = timed(step, row);
        if outcome.is_err() {
            break;
        }
    }
    console::data(summary::table(&rows, began.elapsed()));
    outcome
}

fn timed(step: &Step, row: &mut Row) -> Result<(), Failure> {
    let began = Instant::now();
    let result = (step.run)();
    row.verdict = if result.is_ok() { Verdict::Passed } else { Verdict::Failed };
    row.took = began.elapsed();
    console::note(format_args!("-- {}: {}, {:.1} s", step.name, row.verdict, row.took.as_secs_f64()));
    result.map_err(|failure| {
        Failure::new(format!("step {:?} failed: {failure}", step.name))
            .or_hint(format!("run this step alone with\n      {}", step.again))
    })
}

fn format() -> Result<(), Failure> {
    tools::ensure_component("fmt", "rustfmt")?;
    process::run(&mut workspace::cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<(), Failure> {
    tools::ensure_component("clippy", "clippy")?;
    let scope = ["clippy", "--workspace", "--all-targets", "--all-features"];
    process::run(workspace::cargo(scope).args(["--", "-D", "warnings"]))
}

/// Where all features are on, code that needs one of them and does not say so goes unseen. Each crate by itself: together, one
/// would turn on what the other needs.
fn without_features() -> Result<(), Failure> {
    for package in ["onlyonce", "onlyonce-backends"] {
        let scope = ["clippy", "--package", package, "--no-default-features"];
        process::run(workspace::cargo(scope).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// One of each server for the whole run, so that no test program starts its own where it need not.
fn tests() -> Result<(), Failure> {
    // The program that starts the servers is built with the tests.
    process::run(&mut workspace::cargo(["test", "--workspace", "--all-features", "--no-run"]))?;
    let servers = Servers::start()?;
    let mut command = workspace::cargo(["test", "--workspace", "--all-features"]);
    process::run(command.envs(servers.environment()))
}

fn documentation() -> Result<(), Failure> {
    process::run(workspace::cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_ends_the_run_and_says_how_to_repeat_it() {
        let steps = [
            Step { name: "good", again: "run good", run: || Ok(()) },
            Step { name: "bad", again: "run bad", run: || Err(Failure::new("it broke")) },
            Step { name: "never", again: "run never", run: || panic!("a step after the failed one ran") },
        ];
        let failure = run_steps(&steps).unwrap_err().to_string();
        assert!(failure.contains("step \"bad\" failed: it broke"), "{failure}");
        assert!(failure.contains("hint: run this step alone with\n      run bad"), "{failure}");
    }

    #[test]
    fn no_two_steps_share_a_name() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
