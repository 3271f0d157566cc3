//! What only reads.

use onlyonce_verify::{Verdict, plan::Operation};

use crate::{
    plan,
    served::{Answer, Served},
    verdict,
};

/// What is not there, or not read, is not changed by reading it.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_not_answered_shows_nothing() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/transfers") => api.list(),
        ("GET", _) => Answer::new(404, "{}"),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.reads = vec![Operation::parse("GET /nowhere").unwrap()];
    let verdict = verdict(&plan, "safe/get-changes-state").await;
    assert!(matches!(&verdict, Verdict::NotObservable { why } if why.contains("404")), "{verdict:?}");
}

/// A read that brings a key with it is one all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_with_a_key_that_has_an_effect_is_seen() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", _) if !asked.key.is_empty() => api.each_time(200),
        ("GET", _) => api.list(),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.reads = vec![Operation::parse("GET /transfers").unwrap()];
    let verdict = verdict(&plan, "safe/get-changes-state").await;
    assert!(matches!(verdict, Verdict::Fail { .. }), "{verdict:?}");
}
