//! APIs that know an operation by something else than a key.

use onlyonce_verify::{Plan, Verdict};

use crate::{
    plan,
    served::{Answer, Api, Asked, Served},
    verdicts,
};

const CHECKS: [&str; 3] = ["apart/collapsed", "apart/blocked-at-once", "unkeyed/collapsed"];

fn orders(served: &Served) -> Plan {
    let mut plan = plan(served, "GET /transfers length");
    plan.operations.create = plan.operations.create.with_json(r#"{"order":"{{uuid}}","amount":1}"#);
    plan
}

/// The order's number.
fn number(asked: &Asked) -> &str {
    asked.body.split('"').nth(3).expect("each body has one")
}

async fn found(post: fn(&Asked, &Api) -> Answer) -> Vec<(&'static str, Verdict)> {
    let served = Served::start(move |asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => post(asked, api),
    });
    verdicts(&orders(&served), &CHECKS).await
}

/// `PUT` by another name: the order is there, and who sends it again gets it.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_the_same_order_for_its_number_is_not_at_fault() {
    for (check, verdict) in found(|asked, api| api.once_for_each(number(asked))).await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("takes the same body only once"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_a_number_that_is_taken_is_not_at_fault() {
    for (check, verdict) in found(|asked, api| api.first_for_each(number(asked))).await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("takes the same body only once"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

/// Another amount for the same number is another order: it is not by the number that two keys are one.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_equal_bodies_for_one_whatever_their_keys_loses_an_order() {
    let found = found(|asked, api| match asked.key.as_str() {
        "" => Answer::new(400, r#"{"title":"a key is required"}"#),
        _ => api.once_for_each(&asked.body),
    });
    for (check, verdict) in found.await.into_iter().take(2) {
        assert!(matches!(verdict, Verdict::Fail { .. }), "{check}: {verdict:?}");
    }
}

/// Who is told so has lost nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_what_equals_a_recent_request_deviates() {
    let found = found(|asked, api| match asked.key.as_str() {
        "" => Answer::new(400, r#"{"title":"a key is required"}"#),
        _ => api.first_for_each(&asked.body),
    });
    for (check, verdict) in found.await.into_iter().take(2) {
        assert!(matches!(verdict, Verdict::Deviates { .. }), "{check}: {verdict:?}");
    }
}
