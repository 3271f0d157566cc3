//! Ending one unknown, and removing a result: its guards, seen from outside.

use std::task::{Context, Poll, Waker};

use onlyonce_http::stored::Stored;
use onlyonce_ledger::begin::Standing;

use super::*;

impl Desk {
    async fn forget(&self, reference: OperationRef, state: &str) -> Answered {
        let body = json!({ "state": state, "fence": 1, "reason": "erasure request 12", "by": "ana" });
        self.change(Method::DELETE, &format!("/api/v1/records/{reference}"), &body).await
    }

    /// What a repeat of the key meets.
    async fn repeat(&self, key: &str) -> Look {
        let scopes = self.state.shared.scopes();
        let request = begin::Request {
            id: scopes.record_id(&Principal::anonymous(), CarrierKind::Explicit, &key_of(key)),
            recipe: Recipe::V1,
            fingerprint: Fingerprint([0; 32]),
            owner: scopes.owner(&Principal::anonymous()),
            one_of_many: true,
            route: "POST /transfers".to_owned(),
            policy: Policy::default(),
            parameters: Bytes::new(),
        };
        self.ledger().look_up(&request, Duration::ZERO).await.unwrap()
    }
}

#[tokio::test]
async fn applied_gives_repeats_the_named_status_and_no_body() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", None).await;
    let answer = desk.settle(reference, &applied(1)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let operation = &answer.json()["operation"];
    assert_eq!((&operation["state"], &operation["status"]), (&json!("completed"), &json!(201)));
    assert_eq!(operation["by"], "operator");
    let Look::Stands(Standing::Result { result, .. }) = desk.repeat("k").await else { panic!("no result") };
    let stored = Stored::decode(result).unwrap();
    assert_eq!((stored.status, stored.headers.len(), stored.body.len()), (StatusCode::CREATED, 0, 0));
}

#[tokio::test]
async fn not_applied_frees_the_key_after_settle_after() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", Some(Duration::ZERO)).await;
    let answer = desk.settle(reference, &not_applied(1)).await;
    let operation = &answer.json()["operation"];
    assert_eq!(
        (&operation["state"], &operation["cause"]),
        (&json!("released"), &json!("settled-by-operator"))
    );
    assert!(matches!(desk.repeat("k").await, Look::Free(_)));
}

/// A2: the first attempt may still be at work.
#[tokio::test]
async fn not_applied_is_refused_before_its_time_and_says_from_when() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", Some(HOUR)).await;
    let answer = desk.settle(reference, &not_applied(1)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::CONFLICT, "settle-too-early"));
    let document = answer.json();
    assert_eq!(document["not_applied_from"], document["operation"]["settle"]["not_applied_from"]);
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3590..=3601).contains(&wait), "{wait}");
    assert_eq!(desk.record(reference).await.state.name().as_str(), "unknown");
    assert_eq!(desk.audit().await, [] as [Value; 0]);
}

#[tokio::test]
async fn without_settle_after_not_applied_can_only_be_forced() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", None).await;
    assert_eq!(desk.settle(reference, &not_applied(1)).await.problem(), "settle-after-missing");
    let mut forced = not_applied(1);
    forced["force"] = json!(true);
    assert_eq!(desk.settle(reference, &forced).await.status, StatusCode::OK);
    assert_eq!(desk.audit().await[0]["action"], "settle not applied, forced");
}

/// A2: a record that is in progress is nobody's to settle, by force neither.
#[tokio::test]
async fn nothing_is_settled_while_it_is_in_progress() {
    let desk = Desk::anonymous().await;
    let attempt = desk.claim(&Principal::anonymous(), "k", "POST /a", None).await;
    let mut forced = not_applied(1);
    forced["force"] = json!(true);
    for body in [applied(1), forced] {
        for state in ["unknown", "in-progress"] {
            let mut body = body.clone();
            body["state"] = json!(state);
            let answer = desk.settle(attempt.operation_ref(), &body).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (StatusCode::CONFLICT, "record-in-progress")
            );
            assert_eq!(answer.json()["operation"]["state"], "in-progress");
        }
    }
}

/// A11: what was found out about fence 1 says nothing about fence 2.
#[tokio::test]
async fn another_state_or_fence_than_was_seen_is_refused_with_what_stands() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", Some(Duration::ZERO)).await;
    for (state, fence) in [("unknown", 2), ("unknown", 0), ("completed", 1), ("in-progress", 1)] {
        let mut body = applied(fence);
        body["state"] = json!(state);
        let answer = desk.settle(reference, &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::CONFLICT, "record-moved"));
        let standing = &answer.json()["operation"];
        assert_eq!((&standing["state"], &standing["fence"]), (&json!("unknown"), &json!(1)));
    }
    assert_eq!(desk.settle(reference, &applied(1)).await.status, StatusCode::OK);
    let again = desk.settle(reference, &applied(1)).await;
    assert_eq!(again.problem(), "nothing-to-settle");
    assert_eq!(again.json()["operation"]["by"], "operator");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", Some(Duration::ZERO)).await;
    for (member, value) in [
        ("status", json!(null)),
        ("status", json!(503)),
        ("status", json!(429)),
        ("status", json!(100)),
        ("status", json!(0)),
        ("status", json!(70_000)),
        ("force", json!(true)),
        ("as", json!("done")),
        ("state", json!("lost")),
        ("fence", json!(-1)),
        ("reason", json!("")),
        ("reason", json!("  ")),
        ("reason", json!("two\nlines")),
        ("reason", json!("x".repeat(1001))),
        ("by", json!("")),
        ("by", json!("a\u{1b}[31m")),
    ] {
        let mut body = applied(1);
        body[member] = value.clone();
        assert_eq!(desk.settle(reference, &body).await.problem(), "request-invalid", "{member}: {value}");
    }
    let mut body = not_applied(1);
    body["status"] = json!(201);
    assert_eq!(desk.settle(reference, &body).await.problem(), "request-invalid");
    assert_eq!(desk.record(reference).await.state.name().as_str(), "unknown");
}

#[tokio::test]
async fn a_dry_run_judges_alike_and_changes_nothing() {
    let desk = Desk::anonymous().await;
    let free = desk.unknown("a", "POST /transfers", Some(Duration::ZERO)).await;
    let held = desk.unknown("b", "POST /transfers", Some(HOUR)).await;
    let before = desk.record(free).await;
    let mut body = not_applied(1);
    body["dry_run"] = json!(true);
    let answer = desk.settle(free, &body).await;
    assert_eq!((answer.status, &answer.json()["dry_run"]), (StatusCode::OK, &json!(true)));
    assert_eq!(answer.json()["operation"]["state"], "unknown");
    assert_eq!(desk.settle(held, &body).await.problem(), "settle-too-early");
    body["fence"] = json!(2);
    assert_eq!(desk.settle(free, &body).await.problem(), "record-moved");
    assert_eq!(desk.record(free).await, before);
    assert_eq!(desk.audit().await, [] as [Value; 0]);
}

/// A12: forgetting must not free a key.
#[tokio::test]
async fn forgetting_removes_the_result_and_keeps_the_key() {
    let desk = Desk::anonymous().await;
    let reference = desk.completed("k").await;
    assert_eq!(desk.forget(reference, "tombstone").await.problem(), "record-moved");
    let answer = desk.forget(reference, "completed").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let operation = &answer.json()["operation"];
    assert_eq!((&operation["state"], &operation["cause"]), (&json!("tombstone"), &json!("forgotten")));
    assert_eq!(operation.get("status"), None);
    assert!(matches!(desk.repeat("k").await, Look::Stands(Standing::Refused { .. })));
}

#[tokio::test]
async fn what_has_no_result_cannot_be_forgotten() {
    let desk = Desk::anonymous().await;
    let unknown = desk.unknown("a", "POST /transfers", Some(Duration::ZERO)).await;
    assert_eq!(desk.forget(unknown, "unknown").await.problem(), "nothing-to-forget");
    let running = desk.claim(&Principal::anonymous(), "b", "POST /a", None).await;
    assert_eq!(desk.forget(running.operation_ref(), "in-progress").await.problem(), "nothing-to-forget");
    assert_eq!(desk.settle(unknown, &not_applied(1)).await.status, StatusCode::OK);
    assert_eq!(desk.forget(unknown, "released").await.problem(), "nothing-to-forget");
}

#[tokio::test]
async fn every_change_is_audited_with_before_and_after() {
    let desk = Desk::anonymous().await;
    let first = desk.unknown("a", "POST /transfers", None).await;
    let second = desk.unknown("b", "POST /transfers", Some(Duration::ZERO)).await;
    desk.settle(first, &applied(1)).await;
    desk.settle(second, &not_applied(1)).await;
    desk.forget(first, "completed").await;
    desk.forget(second, "completed").await;
    let audit = desk.audit().await;
    let told: Vec<_> = audit
        .iter()
        .map(|entry| {
            ["who", "why", "action", "before", "after"].map(|member| entry[member].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ["ana", "erasure request 12", "forget", "completed, fence 1", "tombstone, fence 1"],
            ["ana", "no row", "settle not applied", "unknown, fence 1", "released, fence 1"],
            ["ana", "row 8123", "settle applied 201", "unknown, fence 1", "completed, fence 1"],
        ]
    );
    assert_eq!(audit[2]["operation_ref"], first.to_string());
    let newest = desk.get("/api/v1/audit?limit=1").await.json();
    assert_eq!(newest["entries"], json!([audit[0]]));
    let older = desk.get(&format!("/api/v1/audit?limit=2&before={}", newest["next"])).await.json();
    assert_eq!(older["entries"], json!([audit[1], audit[2]]));
    let on = desk.get(&format!("/api/v1/audit?limit=1&before={}", newest["next"])).await.json();
    let oldest = desk.get(&format!("/api/v1/audit?before={}", on["next"])).await.json();
    assert_eq!(oldest["entries"], json!([audit[2]]));
    for last in [older, oldest] {
        assert_eq!(last.get("next"), None, "there is none after the oldest entry");
    }
}

/// The write and the ledger's count of unknowns belong together: were the change dropped in between, the route would
/// seem to have an unknown more for ever, and in the end take no new keys.
#[tokio::test]
async fn a_hang_up_does_not_break_a_settlement_off() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", None).await;
    let request = Request::post(format!("/api/v1/records/{reference}/settle"))
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Body::from(applied(1).to_string()))
        .unwrap();
    let mut answering = Box::pin(desk.router().call(request));
    let first = answering.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(first, Poll::Pending), "it has to be under way when the client goes");
    drop(answering);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.record(reference).await.state.name().as_str(), "completed");
    assert_eq!(desk.ledger().unknowns(), [("POST /transfers".to_owned(), 0)]);
}
