//! What can be asked, and how a question that is not understood is answered.

use onlyonce_core::Timestamp;

use super::*;
use crate::{
    admin::input::{BODY_LIMIT, PAGE_MAX},
    config::Cookies,
    principal,
};

const SECRET_KEY: &str = "0b7c1f52-95fb-44a4-a0a1-5dc3a3b6c0ff";

#[tokio::test]
async fn readiness_says_why_not() {
    let desk = Desk::anonymous().await;
    assert_eq!(desk.get("/readyz").await.json(), json!({ "ready": true }));
    desk.drain();
    let answer = desk.get("/readyz").await;
    assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not-ready"));
    assert_eq!(answer.json()["reason"], "draining");
    assert_eq!(desk.get("/healthz").await.json(), json!({ "alive": true }));
}

#[tokio::test]
async fn metrics_count_unknowns_by_route() {
    let desk = Desk::anonymous().await;
    desk.unknown("a", "POST /b", None).await;
    desk.unknown("b", "POST /a", None).await;
    desk.unknown("c", "POST /a", None).await;
    let _running = desk.claim(&Principal::anonymous(), "d", "POST /a", None).await;
    let answer = desk.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for sample in [
        "onlyonce_unknown_records{route=\"POST /a\"} 2",
        "onlyonce_unknown_records{route=\"POST /b\"} 1",
        "onlyonce_open_records 4",
        "onlyonce_attempts_in_flight 1",
        "onlyonce_waiters 0",
        "onlyonce_late_outcomes_total 0",
        "onlyonce_critical_section_seconds_count 3",
        "onlyonce_batch_size_count 7",
        "onlyonce_store_seconds_count{operation=\"apply\"} 7",
    ] {
        assert!(answer.text.lines().any(|line| line == sample), "{sample} is not in {}", answer.text);
    }
}

#[tokio::test]
async fn an_unknown_that_is_settled_is_counted_by_whom() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("a", "POST /a", None).await;
    let body = json!({
        "as": "applied", "status": 200, "state": "unknown", "fence": 1, "reason": "row 8123", "by": "ana"
    });
    let answer = desk.post(&format!("/api/v1/records/{reference}/settle"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let text = desk.get("/metrics").await.text;
    for sample in [
        "onlyonce_settled_total{by=\"attempt\"} 0",
        "onlyonce_settled_total{by=\"operator\"} 1",
        "onlyonce_unknown_records{route=\"POST /a\"} 0",
        "onlyonce_open_records 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is not in {text}");
    }
}

#[tokio::test]
async fn open_operations_are_listed_by_state_route_age_and_cause() {
    let desk = Desk::anonymous().await;
    let old = desk.unknown("a", "POST /a", Some(HOUR)).await;
    desk.age(old, 2 * HOUR).await;
    let young = desk.unknown("b", "POST /b", None).await;
    let attempt = desk.claim(&Principal::anonymous(), "c", "POST /a", None).await;
    let running = attempt.operation_ref();
    desk.completed("d").await;
    for (query, expected) in [
        ("", vec![old, young, running]),
        ("?state=unknown", vec![old, young]),
        ("?state=in-progress", vec![running]),
        ("?route=POST%20/a", vec![old, running]),
        ("?route=POST+/a&state=unknown", vec![old]),
        ("?older_than=1h", vec![old]),
        ("?cause=answer-lost", vec![old, young]),
        ("?cause=deadline", vec![]),
        ("?route=POST", vec![]),
    ] {
        let document = desk.get(&format!("/api/v1/records{query}")).await.json();
        let mut listed: Vec<_> = document["operations"].as_array().unwrap().iter().map(name).collect();
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "{query}");
        assert_eq!(document.get("next"), None);
    }
}

fn name(operation: &Value) -> String {
    operation["operation_ref"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pages_hold_each_operation_once() {
    let desk = Desk::anonymous().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(desk.unknown(&format!("key-{number}"), "POST /a", None).await.to_string());
    }
    let (mut listed, mut path) = (Vec::new(), "/api/v1/records?limit=3".to_owned());
    loop {
        let document = desk.get(&path).await.json();
        let page = document["operations"].as_array().unwrap();
        assert!(page.len() <= 3);
        listed.extend(page.iter().map(name));
        let Some(next) = document["next"].as_str() else { break };
        path = format!("/api/v1/records?limit=3&after={next}");
    }
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

/// A row that cannot be read shortens a page; it must not end the list.
#[tokio::test]
async fn a_damaged_row_hides_nobody_behind_it() {
    let desk = Desk::anonymous().await;
    for number in 0..3 {
        desk.unknown(&format!("key-{number}"), "POST /a", None).await;
    }
    let rows = desk.ledger().open_records(None, 3).await.unwrap().listed;
    let first = rows[0].reference.record;
    let mut row = codec::encode(&rows[0].record).to_vec();
    row.truncate(row.len() - 1);
    desk.store.plant(first, Some(row.into()));
    let document = desk.get("/api/v1/records?limit=2").await.json();
    assert_eq!(document["operations"].as_array().unwrap().len(), 2);
    let answer = desk.get(&format!("/api/v1/records/{}", rows[0].reference)).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "record-damaged")
    );
}

#[tokio::test]
async fn an_operation_is_shown_in_each_state_without_what_was_in_it() {
    let desk = Desk::anonymous().await;
    let show = async |reference: OperationRef| {
        desk.get(&format!("/api/v1/records/{reference}")).await.json()["operation"].clone()
    };
    let unknown = show(desk.unknown("a", "POST /a", Some(HOUR)).await).await;
    assert_eq!((&unknown["state"], &unknown["cause"]), (&json!("unknown"), &json!("answer-lost")));
    assert_eq!((&unknown["fence"], &unknown["seen_status"]), (&json!(1), &json!(201)));
    assert_eq!(unknown["on_unknown"], "hold");
    assert_eq!(
        (&unknown["settle"]["applied"], &unknown["settle"]["not_applied"]),
        (&json!(true), &json!(false))
    );
    assert!(unknown["settle"]["not_applied_from"].is_string());
    let unsaid = show(desk.unknown("b", "POST /a", None).await).await;
    assert_eq!(unsaid["settle"], json!({ "applied": true, "not_applied": false }));
    let completed = show(desk.completed("c").await).await;
    assert_eq!((&completed["state"], &completed["status"]), (&json!("completed"), &json!(201)));
    assert_eq!(completed["by"], "attempt");
    let attempt = desk.claim(&Principal::anonymous(), "d", "POST /a", None).await;
    let running = show(attempt.operation_ref()).await;
    assert_eq!(running["state"], "in-progress");
    assert!(running["deadline_at"].as_str() > running["attempt_at"].as_str());
    attempt.release(onlyonce_core::record::ReleaseCause::NotSent, None).await.unwrap();
    let released = show(attempt.operation_ref()).await;
    assert_eq!((&released["state"], &released["cause"]), (&json!("released"), &json!("not-sent")));
    let members = [
        "operation_ref",
        "state",
        "fence",
        "route",
        "first_attempt_at",
        "attempt_at",
        "since",
        "age_seconds",
    ];
    for operation in [unknown, completed, running, released] {
        assert!(members.iter().all(|member| operation.get(member).is_some()), "{operation}");
    }
}

/// A text that says from when something is true must not be up to a second too early.
#[test]
fn a_time_from_which_is_rounded_up() {
    for (ms, shown) in [(0, 0), (1, 1000), (999, 1000), (1000, 1000), (1001, 2000)] {
        assert_eq!(crate::admin::view::not_before(Timestamp::from_ms(ms)).as_ms(), shown);
    }
}

fn by_header() -> Identify {
    Identify::Header { name: "x-user".parse().unwrap(), trusted: Vec::new() }
}

fn by_credential() -> Identify {
    let label = "header:authorization".to_owned();
    let header = principal::Credential::Header { label, name: "authorization".parse().unwrap() };
    let cookie = principal::Credential::Cookie { label: "cookie:sid".to_owned(), name: "sid".to_owned() };
    Identify::Credential {
        credentials: vec![header, cookie],
        cookies: Cookies::Refuse,
        tokens: principal::Tokens::default(),
    }
}

async fn look_up(desk: &Desk, principal: Value, key: &str) -> Answered {
    desk.post("/api/v1/lookup", &json!({ "principal": principal, "key": key })).await
}

#[tokio::test]
async fn a_key_is_looked_up_as_its_principal_in_each_mode() {
    let anonymous = Desk::anonymous().await;
    let header = Desk::open(by_header()).await;
    let credential = Desk::open(by_credential()).await;
    let both = [("header:authorization", b"Bearer t".as_slice()), ("cookie:sid", b"1".as_slice())];
    let hashed = credential.state.shared.scopes().credential(&both);
    for (desk, principal, right, wrong) in [
        (&anonymous, Principal::anonymous(), json!("anonymous"), None),
        (&header, Principal::header(b"ana"), json!("ana"), Some(json!("luis"))),
        (
            &credential,
            hashed,
            json!({ "header:authorization": "Bearer t", "cookie:sid": "1" }),
            Some(json!({ "header:authorization": "Bearer t" })),
        ),
    ] {
        let reference = desk.claim(&principal, SECRET_KEY, "POST /a", None).await.operation_ref();
        for form in [SECRET_KEY.to_owned(), format!("\"{SECRET_KEY}\""), format!(" {SECRET_KEY} ")] {
            let answer = look_up(desk, right.clone(), &form).await;
            assert_eq!(name(&answer.json()["operation"]), reference.to_string(), "{form}");
            assert!(!answer.text.contains(SECRET_KEY));
        }
        if let Some(wrong) = wrong {
            assert_eq!(look_up(desk, wrong, SECRET_KEY).await.problem(), "not-found");
        }
        assert_eq!(look_up(desk, right, "another").await.problem(), "not-found");
    }
}

/// A path that is a key is named by its request; the operation that it claimed is found in the tests of the whole gateway.
#[tokio::test]
async fn a_request_that_names_no_key_says_what_would() {
    let text = "[[route]]\nmatch = \"PUT /orders/{id}\"\ncreate = true\ncarriers = [\"path:id\"]\n\
        [[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"";
    let desk = Desk::anonymous().await.with_routes(text);
    for (body, says) in [
        (json!({}), "`key` is missing"),
        (json!({ "key": "k", "request": "PUT /orders/7" }), "one is enough"),
        (json!({ "request": "/orders/7" }), "a method and a path"),
        (json!({ "request": "PUT orders/7" }), "a method and a path"),
        (json!({ "request": "PUT http://bank.example/orders/7" }), "a method and a path"),
        (json!({ "request": "P\u{e4}T /orders/7" }), "a method and a path"),
        (json!({ "request": "GET /orders/7" }), "no key on"),
        (json!({ "request": "POST /transfers" }), "`POST /transfers`, which takes no key from a path"),
        (json!({ "request": format!("PUT /orders/{}", "x".repeat(256)) }), "longer than 255"),
        (json!({ "request": "PUT /orders/%FF" }), "not UTF-8"),
    ] {
        let mut asked = body.clone();
        asked["principal"] = json!("anonymous");
        let answer = desk.post("/api/v1/lookup", &asked).await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::BAD_REQUEST, "request-invalid"));
        assert!(answer.text.contains(says), "{body}: {}", answer.text);
    }
    let none = json!({ "principal": "anonymous", "request": "PUT /orders/7" });
    assert_eq!(desk.post("/api/v1/lookup", &none).await.problem(), "not-found");
}

#[tokio::test]
async fn a_principal_of_another_mode_is_explained() {
    let anonymous = Desk::anonymous().await;
    let header = Desk::open(by_header()).await;
    let credential = Desk::open(by_credential()).await;
    for (desk, principal, says) in [
        (&anonymous, json!("ana"), "anonymous"),
        (&anonymous, json!({ "header:authorization": "x" }), "anonymous"),
        (&header, json!({ "x-user": "ana" }), "x-user"),
        (&header, json!(" "), "x-user"),
        (&credential, json!("Bearer t"), "header:authorization"),
        (&credential, json!({}), "header:authorization"),
        (&credential, json!({ "header:x-api-key": "t" }), "cookie:sid"),
        (&credential, json!({ "header:authorization": "" }), "cookie:sid"),
    ] {
        let answer = look_up(desk, principal.clone(), "k").await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::BAD_REQUEST, "request-invalid"));
        assert!(answer.text.contains(says), "{principal}: {}", answer.text);
    }
}

/// Whatever is wrong with a body: it may hold a key or a credential, so the error repeats none of it.
#[tokio::test]
async fn an_error_repeats_nothing_that_was_sent() {
    let desk = Desk::anonymous().await;
    for body in [
        json!({ "principal": SECRET_KEY, "key": "k" }),
        json!({ "principal": "anonymous", "key": [SECRET_KEY] }),
        json!({ "principal": [SECRET_KEY], "key": "k" }),
        json!({ "principal": "anonymous", "key": "k", SECRET_KEY: 1 }),
        json!({ "principal": "anonymous", "key": format!("{SECRET_KEY},{SECRET_KEY}") }),
        json!({ "key": format!("{SECRET_KEY}\n") }),
        json!({ "principal": "anonymous", "request": SECRET_KEY }),
        json!({ "principal": "anonymous", "request": format!("PUT /{SECRET_KEY}") }),
        json!(SECRET_KEY),
    ] {
        let answer = desk.post("/api/v1/lookup", &body).await;
        assert_eq!(answer.problem(), "request-invalid", "{body}");
        assert!(!answer.text.contains(SECRET_KEY), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_body_says_what_is_missing() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /a", None).await;
    for member in ["as", "state", "fence", "reason", "by"] {
        let mut body = not_applied(1);
        body.as_object_mut().unwrap().remove(member);
        let answer = desk.settle(reference, &body).await;
        assert_eq!(answer.problem(), "request-invalid");
        assert!(answer.text.contains(&format!("The member `{member}` is missing")), "{}", answer.text);
    }
    let mut body = not_applied(1);
    body["forced"] = json!(true);
    assert!(desk.settle(reference, &body).await.text.contains("not known here"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let desk = Desk::anonymous().await;
    let answer = desk.post("/api/v1/lookup", &json!({ "key": "x".repeat(BODY_LIMIT) })).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "request-too-large")
    );
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let desk = Desk::anonymous().await;
    for query in [
        "state=completed",
        "state=",
        "older_than=1",
        "older_than=soon",
        "cause=weather",
        "after=op_x",
        "limit=0",
        "limit=1001",
        "limit=x",
        "rout=x",
        "state=unknown&state=unknown",
    ] {
        let answer = desk.get(&format!("/api/v1/records?{query}")).await;
        assert_eq!(answer.problem(), "request-invalid", "{query}");
    }
    assert_eq!(desk.get(&format!("/api/v1/audit?limit={}", PAGE_MAX + 1)).await.problem(), "request-invalid");
}

#[tokio::test]
async fn what_is_not_there_says_what_is() {
    let desk = Desk::anonymous().await;
    assert_eq!(desk.get("/api/v1/record").await.problem(), "no-such-call");
    let answer = desk.get("/api/v1/settle").await;
    assert_eq!(
        (answer.problem().as_str(), &answer.headers["allow"]),
        ("no-such-method", &"POST".parse().unwrap())
    );
    assert_eq!(desk.get("/api/v1/records/op_short").await.problem(), "request-invalid");
    let reference = desk.unknown("k", "POST /a", None).await;
    let older = OperationRef { first_claim_at: Timestamp::from_ms(1), ..reference };
    assert_eq!(desk.get(&format!("/api/v1/records/{older}")).await.problem(), "not-found");
    assert_eq!(desk.settle(older, &applied(1)).await.problem(), "not-found");
}
