//! How many requests a run costs, and what becomes of one that may send no more.

use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use onlyonce_verify::{Run, Verdict, run::Selection};

use crate::{Silent, plan, served::Served, verdict};

/// A counter that is behind is not asked so often that nothing is left for the checks.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_counter_is_looked_at_ever_more_seldom() {
    const LATE: Duration = Duration::from_millis(900);
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => {
            LOOKS.fetch_add(1, Ordering::Relaxed);
            api.list_of_what_is_older_than(LATE)
        }
        _ => api.once_for_each_key(asked, 202),
    });
    let verdict = verdict(&plan(&served, "GET /transfers length"), "replay/runs-again").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
    // Each of the preflight, the check and its control waits for less than three seconds: 600 looks if they came evenly.
    let looks = LOOKS.load(Ordering::Relaxed);
    assert!(looks < 200, "{looks} looks");
}

/// What nothing was left for was not tried, and its run has not come to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_requests_are_spent_says_so() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.bounds.requests = 60;
    let checks = ["replay/runs-again", "race/two-run", "lost/dropped-answer-runs-again"].map(str::to_owned);
    let run = Run::new(&plan, &Selection(checks.to_vec())).unwrap();
    run.preflight().await.unwrap();
    let report = run.carry_out(&mut Silent, pending()).await;
    assert_eq!(report.spent, 2, "{:?}", report.findings);
    assert!(report.summary_line().contains("2 of these for want of requests"), "{}", report.summary_line());
}
