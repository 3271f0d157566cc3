//! A run that somebody interrupts.

use onlyonce_verify::{
    Run,
    fixture::Fixture,
    report::Finding,
    run::{Observer, Selection},
};
use tokio::task::yield_now;

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static onlyonce_verify::Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

/// Without this, Ctrl-C in the wrong second left somebody's API stopped.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_goes_on_when_its_check_is_interrupted() {
    let fixture = Fixture::start(None).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (stopped, resumed) = (directory.path().join("stopped"), directory.path().join("resumed"));
    let mut plan = fixture.plan();
    plan.commands.pause = Some(format!("touch {}", stopped.display()));
    plan.commands.resume = Some(format!("touch {}", resumed.display()));
    let selection = Selection(vec!["crash/paused-runs-again".to_owned()]);
    let run = Run::new(&plan, &selection).unwrap();
    // Bounded by the check, which stops it early.
    let interrupted = async {
        while !stopped.exists() {
            yield_now().await;
        }
    };
    let report = run.carry_out(&mut Silent, interrupted).await;
    assert_eq!((report.findings.len(), report.not_tried), (0, 1));
    assert!(resumed.exists());
}
