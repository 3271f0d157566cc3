//! Commands of a plan that fail, and what is said of an API that they have left down.

use std::{future::pending, time::Duration};

use onlyonce_verify::{
    Check, Plan, Report, Run, Verdict,
    report::Finding,
    run::{Observer, Selection},
};

use crate::{
    plan,
    served::{Answer, Served},
};

/// What was told while it went.
#[derive(Default)]
struct Told(Vec<String>);

impl Observer for Told {
    fn begins(&mut self, check: &'static Check, _: usize, _: usize) {
        self.0.push(check.id.to_owned());
    }
    fn ended(&mut self, finding: &Finding) {
        self.0.push(finding.verdict.as_str().to_owned());
    }
    fn command_failed(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

async fn run(plan: &Plan, checks: &[&str]) -> (Report, Vec<String>) {
    let selection = Selection(checks.iter().map(|check| (*check).to_owned()).collect());
    let mut told = Told::default();
    let report = Run::new(plan, &selection).expect("the checks exist").carry_out(&mut told, pending()).await;
    (report, told.0)
}

/// Takes connections and answers everything with 503 from the time that this file is there.
fn broken_by(file: std::path::PathBuf) -> Served {
    Served::start(move |asked, api| match asked.method.as_str() {
        _ if file.exists() => Answer::new(503, r#"{"title":"recovering"}"#),
        "GET" => api.list(),
        _ => api.once_for_each_key(asked, 201),
    })
}

/// A plan with a typing error in its `restart` was "not observable" in a finding far down, and every check after it called
/// the dead API's refusals faults.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_fails_is_told_once_and_what_follows_is_not_judged() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let served = broken_by(broken.clone());
    let mut plan = plan(&served, "GET /transfers length");
    plan.commands.kill = Some(format!("touch {}", broken.display()));
    plan.commands.restart = Some("echo no such service >&2; echo 'at all' >&2; exit 3".to_owned());
    plan.commands.pause = Some("true".to_owned());
    plan.commands.resume = Some("true".to_owned());
    let checks = ["crash"];
    let (report, told) = run(&plan, &checks).await;
    let failed = "start it: echo no such service >&2; echo 'at all' >&2; exit 3: exit status: 3: no such service at all";
    let failures: Vec<_> = told.iter().filter(|line| line.starts_with("start it")).collect();
    assert_eq!(failures, [failed]);
    let first = told.iter().position(|line| line == "crash/runs-again").unwrap();
    assert_eq!(told.get(first + 1).map(String::as_str), Some(failed), "{told:?}");
    let after: Vec<_> =
        report.findings.iter().skip_while(|finding| finding.check.id != "crash/runs-again").skip(1).collect();
    assert_eq!(after.len(), 3, "{told:?}");
    for finding in after {
        let why = format!("{:?}", finding.verdict);
        assert!(finding.unreached && why.contains("the plan's `restart` failed"), "{why}");
    }
}

/// An API that stays stopped is nobody's finding far down in a report.
#[tokio::test(flavor = "multi_thread")]
async fn a_resume_that_fails_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let served = broken_by(directory.path().join("broken"));
    let mut plan = plan(&served, "GET /transfers length");
    plan.commands.pause = Some("true".to_owned());
    plan.commands.resume = Some("exit 1".to_owned());
    plan.commands.pause_for = Some(Duration::from_millis(10));
    let (report, told) = run(&plan, &["crash/paused-runs-again"]).await;
    assert_eq!(told.iter().filter(|line| line.starts_with("resume it: exit 1")).count(), 1, "{told:?}");
    assert!(matches!(report.findings[0].verdict, Verdict::NotObservable { .. }), "{told:?}");
}

/// What somebody has brought back is judged again.
#[tokio::test(flavor = "multi_thread")]
async fn what_answers_again_is_judged_again() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let served = broken_by(broken.clone());
    let mut plan = plan(&served, "GET /transfers length");
    plan.commands.kill = Some("exit 1".to_owned());
    plan.commands.restart = Some("true".to_owned());
    let (report, told) = run(&plan, &["crash/wedged", "crash/runs-again", "scope"]).await;
    let of = |id: &str| report.findings.iter().find(|finding| finding.check.id == id).unwrap();
    for id in ["crash/wedged", "crash/runs-again"] {
        assert!(matches!(of(id).verdict, Verdict::NotObservable { .. }), "{told:?}");
        assert!(!of(id).unreached, "it was never down: {told:?}");
    }
    assert_eq!(told.iter().filter(|line| line.starts_with("kill it: exit 1")).count(), 1, "{told:?}");
}
