//! Effects counted by calls that come back.

use std::sync::Arc;

use onlyonce_verify::{
    Plan, Run, Verdict,
    check::Need,
    checks,
    counter::Counter,
    fixture::{Defect, Fixture},
    run::Selection,
    sink::{Calls, Sink},
};

use crate::{Case, Silent, all};

/// What a check finds by the first of the fixture's plans that is wanted, each of which counts calls.
async fn found(case: Case, wanted: fn(&Verdict) -> bool) -> Verdict {
    let free = "127.0.0.1:0".parse().expect("it is an address");
    let mut last = Verdict::not_observable("there is no plan");
    for number in 0.. {
        let Some(list) = LISTS.get(number) else { break };
        let request = Some(("POST".parse().expect("it is a method"), "/effects".to_owned()));
        let only = Some(("/list".to_owned(), (*list).to_owned()));
        let sink = Sink { listen: free, request, only };
        let calls = Calls::listen(sink.clone()).await.expect("there is a free port");
        let fixture = Fixture::start_calling(case.defect, calls.address()).await.expect("and another one");
        let plan = fixture.plans().nth(number).expect("there is a plan for each list");
        let plan = Plan { counter: Some(Counter::Called(sink)), ..plan };
        let run = Run::new(&plan, &Selection(vec![case.check.id.to_owned()])).expect("the check exists");
        let run = run.hearing(Arc::new(calls));
        last = run.carry_out(&mut Silent, std::future::pending()).await.findings.remove(0).verdict;
        if wanted(&last) {
            break;
        }
    }
    last
}

/// What the fixture's plans add to, in their order.
const LISTS: [&str; 4] = ["/transfers", "/payments", "/orders", "/invoices"];

/// All that count, and need nothing that a process or another view has.
fn counting() -> impl Iterator<Item = Case> {
    let elsewhere = [Need::Kill, Need::Pause, Need::UpstreamView, Need::Retention];
    let here = move |needs: &[Need]| {
        needs.contains(&Need::Counter) && !needs.iter().any(|need| elsewhere.contains(need))
    };
    checks::all().filter(move |check| here(check.needs)).map(|check| Case { check, defect: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_on_the_correct_fixture_where_calls_count() {
    let told_something = |verdict: &Verdict| !matches!(verdict, Verdict::NotObservable { .. });
    let passes = |verdict: &Verdict| matches!(verdict, Verdict::Pass { .. });
    all(counting(), move |case| found(case, told_something), passes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_effect_is_told_where_calls_count() {
    let broken = [
        ("replay/runs-again", Defect::NoDeduplication),
        ("race/two-run", Defect::CheckThenAct),
        ("lost/dropped-answer-runs-again", Defect::NoDeduplication),
        ("hangup/runs-again", Defect::NoDeduplication),
    ];
    let failed = |verdict: &Verdict| matches!(verdict, Verdict::Fail { .. });
    let cases = broken.into_iter().map(|(id, defect)| {
        let check = checks::all().find(|check| check.id == id).expect("there is one");
        Case { check, defect: Some(defect) }
    });
    all(cases, move |case| found(case, failed), failed).await;
}
