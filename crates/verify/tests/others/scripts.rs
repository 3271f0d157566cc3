//! The commands of a report, carried out by a shell: they show the fault again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::process::Command;

use onlyonce_verify::{
    Plan, Run,
    fixture::{Defect, Fixture},
    run::Selection,
};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{Silent, pending};

async fn script(plan: &Plan, check: &str) -> String {
    let run = Run::new(plan, &Selection(vec![check.to_owned()])).unwrap();
    let report = run.carry_out(&mut Silent, pending()).await;
    let report: Value = serde_json::from_str(&report.json()).unwrap();
    let finding = &report["findings"][0];
    assert_eq!(finding["verdict"], "fail", "{report:#}");
    finding["script"].as_str().unwrap().to_owned()
}

/// What `bash` says when it runs a script, without an eye on it.
async fn ran(script: String) -> String {
    let output = spawn_blocking(move || {
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script);
        bash.env("FIRST_AUTHORIZATION", "Bearer of-the-first-caller");
        bash.env("SECOND_AUTHORIZATION", "Bearer of-the-second-caller");
        bash.output().expect("`bash` and `curl` are there: `cargo xtask tools` installs them")
    })
    .await
    .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How many effects there are.
async fn effects(plan: &Plan) -> usize {
    let count = "curl -sS -H \"authorization: $FIRST_AUTHORIZATION\"";
    let list = ran(format!("{count} '{}/transfers'", plan.target)).await;
    serde_json::from_str::<Vec<Value>>(&list).unwrap().len()
}

/// Runs the check and then, twice, its script; gives how many effects each run of the script had.
async fn repeated(defect: Defect, check: &str) -> [usize; 2] {
    let fixture = Fixture::start(Some(defect)).await.unwrap();
    let plan = fixture.plan();
    let script = script(&plan, check).await;
    let mut had = [0; 2];
    for had in &mut had {
        let before = effects(&plan).await;
        ran(script.clone()).await;
        *had = effects(&plan).await - before;
    }
    had
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_shows_its_fault_again_and_again() {
    // Keys that an API without this fault would know by now.
    assert_eq!(repeated(Defect::NoDeduplication, "replay/runs-again").await, [2, 2]);
    // Two bodies that differ at their ends were both answered with success, for one effect.
    assert_eq!(repeated(Defect::BodyIgnored, "limits/large-request-beginning-counts").await, [1, 1]);
    assert_eq!(repeated(Defect::LargeUnkeyed, "limits/large-request-runs-again").await, [2, 2]);
    assert_eq!(repeated(Defect::FingerprintInKey, "mismatch/body-ignored").await, [2, 2]);
    // With one that shows that the operation itself is taken: two keys that are nearly the same had one effect.
    assert_eq!(repeated(Defect::KeysFolded, "key/case-folded").await, [2, 2]);
    assert_eq!(repeated(Defect::KeysCut, "key/cut").await, [3, 3]);
    assert_eq!(repeated(Defect::MalformedIgnored, "key/malformed-ignored").await, [3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_is_run_again() {
    let had = repeated(Defect::NoDeduplication, "race/two-run").await;
    assert!(had.iter().all(|had| *had > 1), "{had:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_goes_out_as_it_was() {
    for check in ["key/empty-accepted", "key/non-ascii-accepted"] {
        let fixture = Fixture::start(Some(Defect::AnyKey)).await.unwrap();
        let script = script(&fixture.plan(), check).await;
        let printed = ran(script.clone()).await;
        assert!(printed.contains("HTTP/1.1 201"), "{script}\n{printed}");
    }
}
