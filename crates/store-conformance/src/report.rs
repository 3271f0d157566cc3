//! What a run of the suite has found.

use std::fmt;

use onlyonce_ledger::store;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The claim holds.
    Passed,
    /// It does not, and how that showed.
    Failed(String),
    /// The store lacks what it takes to ask.
    Skipped(&'static str),
}

/// All cases of a run, in the order of [`crate::CASES`].
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) cases: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// What became of each case.
    pub fn cases(&self) -> &[(&'static str, Outcome)] {
        &self.cases
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the cases that were skipped.
    pub fn skipped(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// Fails a test with everything that was found, unless all cases passed but for `skips`, which must be skipped.
    ///
    /// # Panics
    /// If a case failed, or was skipped that is not in `skips`, or the other way around.
    pub fn assert_passed(&self, skips: &[&str]) {
        assert!(self.failed().is_empty() && self.skipped() == skips, "{self}");
    }

    fn named(&self, which: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        self.cases.iter().filter(|(_, outcome)| which(outcome)).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.cases {
            match outcome {
                Outcome::Passed => writeln!(f, "passed   {name}")?,
                Outcome::Failed(how) => writeln!(f, "FAILED   {name}: {how}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// Why a case ended early.
pub(crate) enum Stop {
    Failed(String),
    Skipped(&'static str),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::Failed(format!("the store answered {:?}{source}", error.kind()))
    }
}

/// Ends the case as failed unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($how:tt)+) => {
        if !$condition {
            return Err($crate::report::Stop::Failed(format!($($how)+)));
        }
    };
}

pub(crate) use ensure;
