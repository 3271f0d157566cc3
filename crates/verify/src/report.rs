//! What was found, and how it is told: [to people](Report::write), [to programs](Report::json), and [on a page](Report::html).

mod hidden;
mod html;
mod json;
mod sequence;
mod terminal;

use std::time::{Duration, SystemTime};

use crate::{
    call::Origin,
    check::{Check, Level},
    counter::Counter,
    plan::{Credentials, Plan},
    profile::Profile,
    trial::Step,
    verdict::Verdict,
};

pub(crate) use hidden::Hidden;
pub use terminal::Style;

/// Where this does not hold, little else does.
const RUNS_AGAIN: &str = "replay/runs-again";

/// All that one run has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked.
    pub target: Origin,
    /// The operation that most of it was about: `POST /transfers`.
    pub asked: String,
    /// By whose expectations.
    pub profile: &'static Profile,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// How many requests were sent, those of the preflight among them.
    pub requests: u32,
    /// One for each check, in their order.
    pub findings: Vec<Finding>,
    /// How many checks could not be tried to their end because the API was not there any more.
    pub unreached: usize,
    /// How many checks could not be tried to their end because the requests of the run were spent.
    pub spent: usize,
    /// How many checks were left when somebody interrupted it.
    pub not_tried: usize,
    /// Whether the verifier was the application behind what was verified.
    pub upstream_view: bool,
    /// Calls that counted as effects, by where they came.
    pub calls: Option<String>,
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
    /// Whether the API was not there any more.
    pub unreached: bool,
    /// Whether requests were wanting that the plan does not allow.
    pub spent: bool,
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
            asked: plan.operations.create.to_string(),
            profile,
            began: SystemTime::now(),
            took: Duration::ZERO,
            requests: 0,
            findings: Vec::new(),
            unreached: 0,
            spent: 0,
            not_tried: 0,
            upstream_view: plan.upstream.is_some(),
            calls: plan.counter.as_ref().and_then(Counter::sink).map(ToString::to_string),
            credentials: plan.secrets(),
        }
    }

    /// The check whose fault most others follow from, where it is not the only one.
    fn cause(&self) -> Option<&'static str> {
        let failed = |finding: &&Finding| matches!(finding.verdict, Verdict::Fail { .. });
        let cause = self.findings.iter().filter(failed).find(|finding| finding.check.id == RUNS_AGAIN)?;
        (self.findings.iter().filter(failed).count() > 1).then_some(cause.check.id)
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

    /// The summary as a line.
    #[must_use]
    pub fn summary_line(&self) -> String {
        let Summary { passed, failed, failed_should, deviating, not_observable } = self.summary();
        let mut parts = vec![format!("{passed} held")];
        let mut tell = |count: usize, text: &str| {
            if count > 0 {
                parts.push(format!("{count} {text}"));
            }
        };
        tell(failed, "broken that must hold");
        tell(failed_should, "broken that should");
        tell(deviating, "otherwise by design");
        tell(not_observable, "cannot be told");
        tell(self.spent, "of these for want of requests");
        tell(self.not_tried, "not tried (interrupted)");
        let (checks, requests) = (self.findings.len() + self.not_tried, self.requests);
        let seconds = self.took.as_secs_f32();
        let checks = if checks == 1 { "1 check".to_owned() } else { format!("{checks} checks") };
        format!("{checks}: {}. {requests} requests in {seconds:.1} s.", parts.join(", "))
    }
}

impl Finding {
    /// Whether it shows a fault of this level.
    #[must_use]
    pub fn fails(&self, level: Level) -> bool {
        self.check.level == level && matches!(self.verdict, Verdict::Fail { .. })
    }
}
