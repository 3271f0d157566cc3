//! The script of a crash, carried out by a shell: it kills, starts again, and shows the fault.

use std::{future::pending, process::Command};

use onlyonce_verify::{Plan, Run, fixture::Defect, run::Selection};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{Silent, process::Process};

/// What `bash` says when it runs a script.
async fn ran(script: String) -> String {
    let output = spawn_blocking(move || {
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script);
        bash.env("FIRST_AUTHORIZATION", "Bearer of-the-first-caller");
        bash.output().expect("`bash` and `curl` are there: `cargo xtask tools` installs them")
    });
    let output = output.await.expect("a shell does not panic");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How many effects there are.
async fn effects(plan: &Plan) -> usize {
    let count = "curl -sS -H \"authorization: $FIRST_AUTHORIZATION\"";
    let list = ran(format!("{count} '{}/transfers'", plan.target)).await;
    serde_json::from_str::<Vec<Value>>(&list).expect("the counter is a list").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_a_crash_shows_its_fault_again() {
    for (defect, check) in [
        (Defect::ForgottenAtCrash, "crash/runs-again"),
        (Defect::FreedAfterCrash, "crash/runs-again"),
        (Defect::NoDeduplication, "crash/paused-runs-again"),
    ] {
        let process = Process::start(Some(defect));
        let plan = process.plan().await;
        let run = Run::new(&plan, &Selection(vec![check.to_owned()])).expect("the check exists");
        let report = run.carry_out(&mut Silent, pending()).await;
        let report: Value = serde_json::from_str(&report.json()).expect("it is JSON");
        let finding = report["findings"][0].clone();
        assert_eq!(finding["verdict"], "fail", "{finding:#}");
        let script = finding["script"].as_str().expect("a fault has a script").to_owned();
        let before = effects(&plan).await;
        let printed = ran(script.clone()).await;
        let had = effects(&plan).await - before;
        assert!(had > 1, "{had} effects of {check} on {defect:?}:\n{script}\n{printed}");
    }
}
