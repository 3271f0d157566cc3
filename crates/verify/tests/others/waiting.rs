//! Who is told to wait.

use std::{
    collections::HashSet,
    future::pending,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use onlyonce_verify::{Run, Verdict, run::Selection};
use serde_json::Value;

use crate::{
    Silent, plan,
    served::{Answer, Served},
    verdict,
};

/// Neither RFC 9110 nor the draft demands that a 409 says when to come again.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_when_to_come_again_is_not_at_fault() {
    let running = Mutex::new(HashSet::new());
    let served = Served::start(move |asked, api| {
        if asked.method == "GET" {
            return api.list();
        }
        if !running.lock().unwrap_or_else(PoisonError::into_inner).insert(asked.key.clone()) {
            return Answer::new(409, r#"{"title":"still running"}"#);
        }
        // bounded: by the client, which waits for it.
        thread::sleep(Duration::from_millis(100));
        api.each_time(201)
    });
    let mut plan = plan(&served, "GET /transfers length");
    let found = verdict(&plan, "errors/no-retry-after").await;
    assert!(matches!(found, Verdict::Deviates { .. }), "{found:?}");
    plan.profile = "lenient".to_owned();
    let found = verdict(&plan, "errors/no-retry-after").await;
    assert!(matches!(found, Verdict::Pass { .. }), "{found:?}");
}

/// A refusal that has nothing to do with keys does not end, however often it is asked: it is waited out once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_waited_for_once_and_told() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.first_for_each(&asked.body),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.create = plan.operations.create.with_json(r#"{"order":"{{uuid}}"}"#);
    plan.bounds.patience = Duration::from_secs(3);
    let checks = ["hangup/runs-again", "lost/dropped-answer-runs-again"].map(str::to_owned).to_vec();
    let run = Run::new(&plan, &Selection(checks)).unwrap();
    let report: Value = serde_json::from_str(&run.carry_out(&mut Silent, pending()).await.json()).unwrap();
    let script = |at: usize| report["findings"][at]["script"].as_str().unwrap_or_default().to_owned();
    let told = "as the same refusal has lasted before";
    assert!(script(0).contains("asked again for") && !script(0).contains(told), "{report:#}");
    assert!(script(1).contains(told), "{report:#}");
}

/// On a busy way a repeat may come before its first request, which is then rightly told to wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_its_own_repeat_overtakes_is_not_refused_an_answer() {
    let sent = Mutex::new(Vec::new());
    let served = Served::start(move |asked, api| {
        if asked.method == "GET" {
            return api.list();
        }
        let (keys, is_new) = {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = !sent.contains(&asked.key);
            if is_new {
                sent.push(asked.key.clone());
            }
            (sent.len(), is_new)
        };
        // bounded: by the client, which waits for it.
        thread::sleep(Duration::from_millis(150));
        match (keys, is_new) {
            // After the two of the preflight.
            (3, true) => Answer::new(409, r#"{"title":"still running"}"#),
            _ => api.once_for_each_key(asked, 201),
        }
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.slow = Some(plan.operations.create.clone());
    let verdict = verdict(&plan, "race/lock-too-short").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}
