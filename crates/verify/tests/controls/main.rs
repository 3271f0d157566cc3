//! The verifier is held to its own standard: each check passes on the correct fixture, and fails on a broken one.

mod called;
mod process;
mod scripts;

use std::{future::pending, sync::Arc, time::Duration};

use onlyonce_verify::{
    Check, Plan, Verdict,
    check::Need,
    checks,
    fixture::{Defect, Fixture},
    report::Finding,
    run::{Observer, Run, Selection, run},
    upstream::Application,
};
use process::Process;
use tokio::{sync::Semaphore, task::JoinSet};

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

/// A check on a fixture.
#[derive(Clone, Copy)]
struct Case {
    check: &'static Check,
    defect: Option<Defect>,
}

/// How many are tried at once: each has a fixture of its own, and most of them wait.
const AT_ONCE: usize = 4;
/// How long results are kept where that is looked at: longer than a request takes on a busy machine.
const RETENTION: Duration = Duration::from_millis(1_500);
/// How long effects are waited for that come late: a few times as late as those of the fixture are.
const LATE: Duration = Duration::from_secs(4);

#[test]
fn every_broken_fixture_is_told_by_a_check() {
    let told = |defect: &Defect| checks::all().any(|check| check.controls.contains(defect));
    let silent: Vec<_> = Defect::ALL.iter().filter(|defect| !told(defect)).collect();
    assert!(silent.is_empty(), "no check fails on {silent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_on_the_correct_fixture() {
    let cases = checks::all().map(|check| Case { check, defect: None });
    let told_something = |verdict: &Verdict| !matches!(verdict, Verdict::NotObservable { .. });
    all(cases, move |case| found(case, told_something), |verdict| matches!(verdict, Verdict::Pass { .. }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_fails_on_each_of_its_broken_fixtures() {
    let cases = checks::all()
        .flat_map(|check| check.controls.iter().map(move |defect| Case { check, defect: Some(*defect) }));
    let failed = |verdict: &Verdict| matches!(verdict, Verdict::Fail { .. });
    all(cases, move |case| found(case, failed), failed).await;
}

/// Those of the client's view as well: what they ask, the verifier serves as the application.
#[tokio::test(flavor = "multi_thread")]
async fn no_check_fails_in_the_upstream_view_of_the_correct_fixture() {
    let cases = checks::all().map(|check| Case { check, defect: None });
    let holds = |verdict: &Verdict| matches!(verdict, Verdict::Pass { .. } | Verdict::NotObservable { .. });
    all(cases, found_behind, holds).await;
}

/// What is killed takes its time to start: what was to be kept for less than that is rightly carried out anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_whose_time_was_over_after_a_crash_is_no_second_effect() {
    let check = checks::all().find(|check| check.id == "crash/runs-again").expect("there is one");
    let process = Process::start_keeping(None, Duration::from_millis(1));
    let verdict = verdict(&process.plan().await, check).await;
    let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("is kept for 0.0 s only"));
    assert!(fair, "{verdict:?}");
    // Its time goes on while nobody runs, and is not over before.
    let process = Process::start_keeping(None, Duration::from_secs(600));
    let verdict = self::verdict(&process.plan().await, check).await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// What was answered and is kept in memory alone runs again after a crash; whoever counts sees it, in both views.
#[tokio::test(flavor = "multi_thread")]
async fn a_finished_request_that_a_crash_forgets_is_told_in_the_upstream_view_too() {
    let check = checks::all().find(|check| check.id == "crash/finished-lost").expect("there is one");
    let found = found_behind_process(Case { check, defect: Some(Defect::KeptInMemory) }).await;
    assert!(matches!(&found, Verdict::Fail { actual, .. } if actual.starts_with("2 effects")), "{found:?}");
    let found = found_behind_process(Case { check, defect: None }).await;
    assert!(matches!(found, Verdict::Pass { .. }), "{found:?}");
}

/// Tries all cases, and tells of all that are not as expected.
async fn all<F>(cases: impl Iterator<Item = Case>, found: impl Fn(Case) -> F, expected: fn(&Verdict) -> bool)
where
    F: Future<Output = Verdict> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut tried = JoinSet::new();
    for case in cases {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("nobody closes it");
        let finding = found(case);
        tried.spawn(async move {
            let verdict = finding.await;
            drop(permit);
            (!expected(&verdict)).then(|| format!("{} on {:?}: {verdict:?}", case.check.id, case.defect))
        });
    }
    let wrong: Vec<String> = tried.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the check finds by the first of the fixture's plans that is wanted; otherwise what it finds by the last.
async fn found(case: Case, wanted: fn(&Verdict) -> bool) -> Verdict {
    let killed = case.check.needs.iter().any(|need| matches!(need, Need::Kill | Need::Pause));
    if case.check.needs.contains(&Need::UpstreamView) {
        return if killed { found_behind_process(case).await } else { found_behind(case).await };
    }
    if killed {
        let process = Process::start(case.defect);
        // What is stopped is stopped for as long as the plan says.
        let plan = match case.check.needs.contains(&Need::Kill) {
            true => process.plan_with_lease().await,
            false => process.plan_to_stop().await,
        };
        return verdict(&plan, case.check).await;
    }
    let started = match case.check.needs.contains(&Need::Retention) {
        true => Fixture::start_keeping(case.defect, RETENTION).await,
        false => Fixture::start(case.defect).await,
    };
    let fixture = started.expect("the loopback has a free port");
    let mut last = Verdict::not_observable("there is no plan");
    for mut plan in fixture.plans() {
        if case.defect == Some(Defect::SecondEffectLater) {
            plan.bounds.settle = LATE;
        }
        last = verdict(&plan, case.check).await;
        if wanted(&last) {
            break;
        }
    }
    last
}

/// What the check finds in the upstream view of a fixture that stands in front of the verifier.
async fn found_behind(case: Case) -> Verdict {
    let application = listening().await;
    let fixture = Fixture::in_front_of(application.address(), case.defect).await;
    let plan = fixture.as_ref().expect("and another one").upstream_plan().expect("it stands in front");
    verdict_before(application, &plan, case.check).await
}

/// The same of one that can be killed.
async fn found_behind_process(case: Case) -> Verdict {
    let application = listening().await;
    let process = Process::in_front_of(application.address(), case.defect);
    let plan = process.upstream_plan(application.address()).await;
    verdict_before(application, &plan, case.check).await
}

async fn listening() -> Application {
    let free = "127.0.0.1:0".parse().expect("it is an address");
    Application::listen(free).await.expect("there is a free port")
}

async fn verdict_before(application: Application, plan: &Plan, check: &Check) -> Verdict {
    let run = Run::new(plan, &Selection(vec![check.id.to_owned()])).expect("the check exists");
    let run = run.before(Arc::new(application));
    run.carry_out(&mut Silent, pending()).await.findings.remove(0).verdict
}

async fn verdict(plan: &Plan, check: &Check) -> Verdict {
    let selection = Selection(vec![check.id.to_owned()]);
    let mut report = run(plan, &selection, &mut Silent).await.expect("the check exists");
    report.findings.remove(0).verdict
}
