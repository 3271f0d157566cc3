//! Running a plan, and what came out of it.

use std::{future::pending, sync::Arc};

use onlyonce_verify::{
    Check, Plan, Report, Verdict,
    report::Finding,
    run::{Observer, Run, Selection},
    upstream::Application,
};

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

/// Carries out all checks, with this application behind what is verified.
pub(crate) async fn verified(
    plan: &Plan,
    application: Option<Arc<Application>>,
    selection: Selection,
) -> Report {
    let run = Run::new(plan, &selection).expect("the plan is one");
    let run = match application {
        Some(application) => run.before(application),
        None => run,
    };
    run.carry_out(&mut Silent, pending()).await
}

/// What did not hold, with what was seen.
fn failed(report: &Report) -> Vec<String> {
    let told = |finding: &Finding| match &finding.verdict {
        Verdict::Fail { expected, actual } => Some(format!("{}: {expected}, not {actual}", finding.check.id)),
        Verdict::Pass { .. } | Verdict::Deviates { .. } | Verdict::NotObservable { .. } => None,
    };
    report.findings.iter().filter_map(told).collect()
}

/// One of the plans that people use.
pub(crate) fn plan(name: &str) -> Plan {
    let path = format!("{}/../../docs/guides/verify/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Plan::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
pub(crate) fn assert_nothing_failed(report: &Report) {
    let failed = failed(report);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// In each of these subjects something was seen to hold, or the check of that id was: nothing may pass because nothing
/// was tried.
#[track_caller]
pub(crate) fn of_these(report: &Report, names: &[&str]) {
    for name in names {
        let holds = |finding: &&Finding| {
            [finding.check.subject(), finding.check.id].contains(name)
                && matches!(finding.verdict, Verdict::Pass { .. })
        };
        assert!(report.findings.iter().any(|finding| holds(&finding)), "{name}: nothing was seen to hold");
    }
}
