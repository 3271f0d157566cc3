//! Keys that stand elsewhere than in a header.

use onlyonce_verify::{
    Plan, Verdict,
    fixture::{Defect, Fixture},
};

use crate::{
    plan,
    served::{Answer, Served},
    verdict, verdicts,
};

const BY_QUERY: &str = r#"
[key]
carrier = "query:request_id"

[operations.create]
request = "POST /invoices?from=ana"
json = '{"to":"{{fresh}}","amount":100}'

[counter]
request = "GET /invoices"
"#;

const BY_FORM: &str = r#"
[key]
carrier = "form:request_id"

[operations.create]
request = "POST /invoices"
body = 'to={{fresh}}&amount=100'
changed = 'to={{fresh}}&amount=200'
headers = { content-type = "application/x-www-form-urlencoded" }

[counter]
request = "GET /invoices"
"#;

const BY_PATH: &str = r#"
[key]
carrier = "path:id"

[operations.create]
request = "POST /vouchers/{id}"
json = '{"to":"{{fresh}}","amount":100}'

[counter]
request = "GET /vouchers"
"#;

/// What every API can be asked, wherever its keys stand.
const CHECKS: [&str; 9] = [
    "replay/runs-again",
    "replay/body-differs",
    "mismatch/body-ignored",
    "mismatch/original-lost",
    "key/malformed-ignored",
    "key/case-folded",
    "apart/collapsed",
    "race/two-run",
    "lost/dropped-answer-runs-again",
];

/// The plan for a fixture.
fn of(fixture: &Fixture, text: &str) -> Plan {
    let asked =
        Plan::parse(&format!("target = \"{}\"\n{text}", fixture.plan().target)).expect("a plan of this file");
    Plan { credentials: fixture.plan().credentials, bounds: fixture.plan().bounds, ..asked }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_known_again_in_a_query_a_form_and_a_path() {
    let (correct, naive) =
        (Fixture::start(None).await.unwrap(), Fixture::start(Some(Defect::NoDeduplication)).await);
    let naive = naive.unwrap();
    for text in [BY_QUERY, BY_FORM, BY_PATH] {
        for (check, verdict) in verdicts(&of(&correct, text), &CHECKS).await {
            let nothing_else_is_no_key = check == "key/malformed-ignored" && text == BY_PATH;
            let holds = match verdict {
                Verdict::NotObservable { .. } => nothing_else_is_no_key,
                ref verdict => matches!(verdict, Verdict::Pass { .. }),
            };
            assert!(holds, "{text}{check}: {verdict:?}");
        }
        let verdict = verdict(&of(&naive, text), "replay/runs-again").await;
        assert!(matches!(verdict, Verdict::Fail { .. }), "{text}{verdict:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_in_one_query_or_form_are_one_too_many() {
    let correct = Fixture::start(None).await.unwrap();
    for text in [BY_QUERY, BY_FORM] {
        // An empty key that it takes is known to it from then on.
        let naive = Fixture::start(Some(Defect::AnyKey)).await.unwrap();
        for check in ["key/two-accepted", "key/empty-accepted"] {
            let verdict = verdict(&of(&correct, text), check).await;
            assert!(matches!(verdict, Verdict::Pass { .. }), "{text}{check}: {verdict:?}");
            let verdict = self::verdict(&of(&naive, text), check).await;
            assert!(matches!(verdict, Verdict::Fail { .. }), "{text}{check}: {verdict:?}");
        }
    }
}

/// Nothing is asked without a key where that would be another address.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_its_key_in_its_path_is_not_asked_without_one() {
    let fixture = Fixture::start(None).await.unwrap();
    for check in ["key/missing-accepted", "unkeyed/collapsed"] {
        let verdict = verdict(&of(&fixture, BY_PATH), check).await;
        let fair =
            matches!(&verdict, Verdict::NotObservable { why } if why.starts_with("keys stand in paths"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

/// A field of a form is one of the carriers, too.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_disagree_are_told_in_a_form_as_well() {
    let also = "carrier = \"form:request_id\"\nalso = [\"header:idempotency-key\", \"query:request_id\"]";
    let text = BY_FORM.replace("carrier = \"form:request_id\"", also);
    let correct = Fixture::start(None).await.unwrap();
    for (defect, check) in
        [(Defect::FirstCarrierWins, "key/carriers-disagree"), (Defect::CarriersApart, "key/carriers-apart")]
    {
        let found = verdict(&of(&correct, &text), check).await;
        assert!(matches!(found, Verdict::Pass { .. }), "{check}: {found:?}");
        let broken = Fixture::start(Some(defect)).await.unwrap();
        let found = verdict(&of(&broken, &text), check).await;
        assert!(matches!(found, Verdict::Fail { .. }), "{check}: {found:?}");
    }
}

/// An API that never looks there was not said to be at fault by anybody but the plan.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_nobody_looks_for_a_key_is_the_plans_mistake() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.key.as_str()) {
        ("GET", _) => api.list(),
        (_, "") => api.each_time(201),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.key.also = vec![onlyonce_verify::plan::Carrier::parse("query:key").unwrap()];
    for (check, verdict) in verdicts(&plan, &["key/carriers-disagree", "key/carriers-apart"]).await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("leave query:key out of the plan"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

/// Who counts the place of a key as a part of the request refuses it, and nothing is done twice.
#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_a_known_key_in_another_place_deviates() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.path.split_once("?key=")) {
        ("GET", _) => api.list(),
        (_, None) => api.once_for_each_key(asked, 201),
        (_, Some((_, key))) if asked.key.is_empty() => match api.is_known(key) {
            true => Answer::new(422, r#"{"title":"it was another request"}"#),
            false => api.once_for_each(&asked.path),
        },
        (_, Some(_)) => Answer::new(400, r#"{"title":"one key, please"}"#),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.key.also = vec![onlyonce_verify::plan::Carrier::parse("query:key").unwrap()];
    plan.key.form = Some(onlyonce_verify::plan::Form::Bare);
    let found = verdict(&plan, "key/carriers-apart").await;
    assert!(matches!(found, Verdict::Deviates { .. }), "{found:?}");
}
