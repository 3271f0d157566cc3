//! What comes out of a check.

use std::fmt;

use crate::call::Lost;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, as far as was tried.
    Pass {
        /// What was seen.
        seen: String,
        /// For what depends on timing: how often it was tried.
        tries: Option<u32>,
    },
    /// It does not hold.
    Fail {
        /// What should have been seen.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// It is done otherwise than the profile says, as others do it on purpose: nothing is lost and nothing done twice.
    Deviates {
        /// What the profile says.
        expected: String,
        /// What was seen.
        actual: String,
        /// Who does it so.
        like: String,
    },
    /// It cannot be told from here.
    NotObservable {
        /// Why, and what would make it so.
        why: String,
    },
}

/// Why a check ends early.
#[derive(Clone, Debug)]
pub enum Stop {
    /// By what it has found.
    Verdict(Verdict),
    /// An answer that it relied on never came.
    Lost {
        /// Of which request.
        step: String,
        /// What came instead.
        lost: Lost,
    },
}

impl Verdict {
    /// It holds.
    pub fn pass(seen: impl Into<String>) -> Self {
        Self::Pass { seen: seen.into(), tries: None }
    }

    /// It held in so many tries.
    pub fn pass_in(tries: u32, seen: impl Into<String>) -> Self {
        Self::Pass { seen: seen.into(), tries: Some(tries) }
    }

    /// It does not hold.
    pub fn fail(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::Fail { expected: expected.into(), actual: actual.into() }
    }

    /// It cannot be told.
    pub fn not_observable(why: impl Into<String>) -> Self {
        Self::NotObservable { why: why.into() }
    }

    /// As it is written in reports.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::Deviates { .. } => "deviates",
            Self::NotObservable { .. } => "not observable",
        }
    }
}

/// How rare, with 95 % confidence, something is at most that was not seen in so many independent tries, as a share.
/// "Rule of three", Hanley and Lippman-Hand, JAMA 249 (1983).
#[must_use]
pub fn bound_95(tries: u32) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / f64::from(tries.max(1)))
}

/// What a step is called that counts effects.
pub(crate) const COUNTING: &str = "count the effects";

impl Stop {
    /// It cannot be told from here.
    pub fn not_observable(why: impl Into<String>) -> Self {
        Self::Verdict(Verdict::not_observable(why))
    }

    /// What the check has come to.
    pub(crate) fn into_verdict(self) -> Verdict {
        match self {
            Self::Verdict(verdict) => verdict,
            // Without the API there is nothing to judge.
            Self::Lost { step, lost: lost @ Lost::NotReached(_) } => {
                Verdict::not_observable(format!("{step}: {lost}"))
            }
            // That it is large is no fault; it cannot be told whether it is the right one.
            Self::Lost { step, lost: lost @ Lost::TooLarge } => {
                Verdict::not_observable(format!("{step}: {lost}"))
            }
            // What counts is not what is judged.
            Self::Lost { step, lost } if step == COUNTING => {
                Verdict::not_observable(format!("{step}: {lost}"))
            }
            Self::Lost { step, lost } => Verdict::fail(format!("{step}: an answer"), lost.to_string()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_tries_without_a_fault_bound_it_by_three_in_a_hundred() {
        assert!((bound_95(100) - 0.0295).abs() < 0.0005);
        assert!((bound_95(1) - 0.95).abs() < 1e-9);
    }
}
