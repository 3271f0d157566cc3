//! Ending many unknowns: found by a filter, settled one by one, by the same rules.

use super::*;

const SETTLE: &str = "/api/v1/settle";

fn bulk(filter: Value, dry_run: bool) -> Value {
    json!({ "filter": filter, "as": "not-applied", "reason": "outage 77", "by": "ana", "dry_run": dry_run })
}

fn names(operations: &Value) -> Vec<String> {
    let mut names: Vec<_> = operations
        .as_array()
        .unwrap_or_else(|| panic!("{operations}"))
        .iter()
        .map(|operation| operation["operation_ref"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn sorted<const N: usize>(references: [OperationRef; N]) -> Vec<String> {
    let mut names: Vec<_> = references.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

async fn state(desk: &Desk, reference: OperationRef) -> &'static str {
    desk.record(reference).await.state.name().as_str()
}

#[tokio::test]
async fn a_dry_run_lists_what_would_be_settled_and_changes_nothing() {
    let desk = Desk::anonymous().await;
    let free = desk.unknown("a", "POST /a", Some(Duration::ZERO)).await;
    let early = desk.unknown("b", "POST /a", Some(HOUR)).await;
    desk.unknown("c", "POST /b", Some(Duration::ZERO)).await;
    let before = desk.record(free).await;
    let report = desk.post(SETTLE, &bulk(json!({ "route": "POST /a" }), true)).await.json();
    assert_eq!(report["dry_run"], true);
    assert_eq!(names(&report["would_settle"]), sorted([free]));
    assert_eq!(report.get("settled"), None);
    assert_eq!(report["left_alone"][0]["why"], "settle-too-early");
    assert_eq!(report["left_alone"][0]["operation"]["operation_ref"], early.to_string());
    assert_eq!(report.get("next"), None);
    assert_eq!(desk.record(free).await, before);
    assert_eq!(desk.audit().await, [] as [Value; 0]);
    assert_eq!(
        desk.get("/api/v1/records?state=unknown").await.json()["operations"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn each_is_settled_by_the_rules_of_one_and_the_rest_is_left_alone() {
    let desk = Desk::anonymous().await;
    let free = desk.unknown("a", "POST /a", Some(Duration::ZERO)).await;
    let early = desk.unknown("b", "POST /a", Some(HOUR)).await;
    let unsaid = desk.unknown("c", "POST /a", None).await;
    let other = desk.unknown("d", "POST /b", Some(Duration::ZERO)).await;
    let running = desk.claim(&Principal::anonymous(), "e", "POST /a", Some(Duration::ZERO)).await;
    let report = desk.post(SETTLE, &bulk(json!({ "route": "POST /a" }), false)).await.json();
    assert_eq!(names(&report["settled"]), sorted([free]));
    assert_eq!(report["settled"][0]["state"], "released");
    let left = report["left_alone"].as_array().unwrap();
    let why = |reference: OperationRef| {
        let named = left.iter().find(|left| left["operation"]["operation_ref"] == reference.to_string());
        named.map(|left| left["why"].as_str().unwrap())
    };
    assert_eq!(why(early), Some("settle-too-early"));
    assert_eq!(why(unsaid), Some("settle-after-missing"));
    assert_eq!((why(other), why(running.operation_ref())), (None, None));
    for (reference, expected) in
        [(free, "released"), (early, "unknown"), (unsaid, "unknown"), (other, "unknown")]
    {
        assert_eq!(state(&desk, reference).await, expected);
    }
    let audit = desk.audit().await;
    assert_eq!(audit.len(), 1);
    assert_eq!(
        (&audit[0]["action"], &audit[0]["why"]),
        (&json!("settle not applied, by filter"), &json!("outage 77"))
    );
}

#[tokio::test]
async fn age_and_cause_choose_too() {
    let desk = Desk::anonymous().await;
    let old = desk.unknown("a", "POST /a", None).await;
    desk.age(old, 2 * HOUR).await;
    let young = desk.unknown("b", "POST /a", None).await;
    let all = json!({ "as": "applied", "status": 204, "reason": "all there", "by": "ana", "dry_run": true });
    for (filter, expected) in [
        (json!({ "older_than": "1h" }), sorted([old])),
        (json!({ "older_than": "3h" }), vec![]),
        (json!({ "cause": "answer-lost" }), sorted([old, young])),
        (json!({ "cause": "deadline" }), vec![]),
    ] {
        let mut body = all.clone();
        body["filter"] = filter.clone();
        assert_eq!(names(&desk.post(SETTLE, &body).await.json()["would_settle"]), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_says_nothing_is_refused() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("a", "POST /a", Some(Duration::ZERO)).await;
    for filter in
        [json!({}), json!({ "state": "unknown" }), json!({ "older_than": "x" }), json!({ "cause": "x" })]
    {
        let answer = desk.post(SETTLE, &bulk(filter.clone(), false)).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "request-invalid"),
            "{filter}"
        );
    }
    let mut unsigned = bulk(json!({ "route": "POST /a" }), false);
    unsigned["reason"] = json!("");
    assert_eq!(desk.post(SETTLE, &unsigned).await.problem(), "request-invalid");
    assert_eq!(state(&desk, reference).await, "unknown");
}

#[tokio::test]
async fn pages_settle_each_once() {
    let desk = Desk::anonymous().await;
    for number in 0..150 {
        desk.unknown(&format!("key-{number}"), "POST /a", Some(Duration::ZERO)).await;
    }
    let mut body = bulk(json!({ "route": "POST /a" }), false);
    body["limit"] = json!(70);
    let mut settled = Vec::new();
    loop {
        let report = desk.post(SETTLE, &body).await.json();
        settled.extend(names(&report["settled"]));
        assert_eq!(report["left_alone"], json!([]));
        match report.get("next") {
            Some(next) => body["after"] = next.clone(),
            None => break,
        }
    }
    settled.sort();
    settled.dedup();
    assert_eq!(settled.len(), 150);
    assert_eq!(desk.ledger().unknowns(), [("POST /a".to_owned(), 0)]);
    assert_eq!(desk.get("/api/v1/audit?limit=1000").await.json()["entries"].as_array().unwrap().len(), 150);
}
