//! The verifier is held to its own standard: each check passes on the correct fixture, and fails on a broken one.

use onlyonce_verify::{
    Check, Plan, Verdict, checks,
    fixture::Fixture,
    report::Finding,
    run::{Observer, Selection, run},
};

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

async fn verdict(plan: &Plan, check: &Check) -> Verdict {
    let selection = Selection(vec![check.id.to_owned()]);
    let mut report = run(plan, &selection, &mut Silent).await.expect("the check exists");
    report.findings.remove(0).verdict
}

/// What the check finds by the first of the fixture's plans that is wanted; otherwise what it finds by the last.
async fn found(fixture: &Fixture, check: &Check, wanted: fn(&Verdict) -> bool) -> Verdict {
    let mut last = Verdict::not_observable("there is no plan");
    for plan in fixture.plans() {
        last = verdict(&plan, check).await;
        if wanted(&last) {
            break;
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_on_the_correct_fixture() {
    let fixture = Fixture::start(None).await.unwrap();
    for check in checks::all() {
        let verdict = found(&fixture, check, |it| !matches!(it, Verdict::NotObservable { .. })).await;
        assert!(matches!(verdict, Verdict::Pass { .. }), "{}: {verdict:?}", check.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_fails_on_each_of_its_broken_fixtures() {
    for check in checks::all() {
        for defect in check.controls {
            let fixture = Fixture::start(Some(*defect)).await.unwrap();
            let verdict = found(&fixture, check, |it| matches!(it, Verdict::Fail { .. })).await;
            assert!(matches!(verdict, Verdict::Fail { .. }), "{} on {defect:?}: {verdict:?}", check.id);
        }
    }
}
