//! The table at the end of `cargo xtask test`: which steps ran, how they ended, how long they took.

use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    /// An earlier step failed.
    NotRun,
    /// It holds.
    Passed,
    /// It does not.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotRun => "not run",
            Self::Passed => "passed",
            Self::Failed => "FAILED",
        })
    }
}

/// One step in the table.
pub(super) struct Row {
    name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

impl Row {
    /// A step that has not run yet.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, verdict: Verdict::NotRun, took: Duration::ZERO }
    }
}

/// The table, one line a step and one for the whole run.
pub(super) fn table(rows: &[Row], total: Duration) -> String {
    let mut lines = vec![String::new(), line("step", "result", "seconds")];
    for row in rows {
        let seconds = match row.verdict {
            Verdict::NotRun => String::new(),
            Verdict::Passed | Verdict::Failed => seconds(row.took),
        };
        lines.push(line(row.name, &row.verdict.to_string(), &seconds));
    }
    lines.push(line("all", "", &seconds(total)));
    lines.join("\n")
}

fn line(name: &str, result: &str, seconds: &str) -> String {
    format!("{name:<16}{result:<9}{seconds:>8}").trim_end().to_owned()
}

fn seconds(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_ran_from_what_did_not() {
        let mut rows = [Row::new("format"), Row::new("tidy"), Row::new("clippy")];
        rows[0].verdict = Verdict::Passed;
        rows[0].took = Duration::from_millis(1_260);
        rows[1].verdict = Verdict::Failed;
        rows[1].took = Duration::from_millis(40);
        let expected = "
step            result    seconds
format          passed        1.3
tidy            FAILED        0.0
clippy          not run
all                           1.3";
        assert_eq!(table(&rows, Duration::from_millis(1_300)), expected);
    }
}
