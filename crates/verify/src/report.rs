//! What was found.

use std::time::{Duration, SystemTime};

use crate::{
    call::Origin,
    check::{Check, Level},
    plan::{Credentials, Plan},
    profile::Profile,
    trial::Step,
    verdict::Verdict,
};

/// All that one run has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked.
    pub target: Origin,
    /// By whose expectations.
    pub profile: &'static Profile,
    /// When it began.
    pub began: SystemTime,
    /// One for each check, in their order.
    pub findings: Vec<Finding>,
    /// Whose headers stand in no report.
    pub credentials: Credentials,
}

/// What one check has found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub check: &'static Check,
    /// What came out.
    pub verdict: Verdict,
    /// What was sent for it.
    pub steps: Vec<Step>,
    /// How long it took.
    pub took: Duration,
}

/// How many of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hold.
    pub passed: usize,
    /// Do not hold, and have to.
    pub failed: usize,
    /// Do not hold, and should.
    pub failed_should: usize,
    /// Are done otherwise by design.
    pub deviating: usize,
    /// Cannot be told.
    pub not_observable: usize,
}

impl Report {
    #[expect(clippy::disallowed_methods, reason = "a report says when it was made; nothing is judged by it")]
    pub(crate) fn new(plan: &Plan, profile: &'static Profile) -> Self {
        Self {
            target: plan.target.clone(),
            profile,
            began: SystemTime::now(),
            findings: Vec::new(),
            credentials: plan.credentials.clone(),
        }
    }

    /// How many of each kind.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for finding in &self.findings {
            let count = match (&finding.verdict, finding.check.level) {
                (Verdict::Pass { .. }, _) => &mut summary.passed,
                (Verdict::Fail { .. }, Level::Must) => &mut summary.failed,
                (Verdict::Fail { .. }, Level::Should) => &mut summary.failed_should,
                (Verdict::Deviates { .. }, _) => &mut summary.deviating,
                (Verdict::NotObservable { .. }, _) => &mut summary.not_observable,
            };
            *count += 1;
        }
        summary
    }
}
