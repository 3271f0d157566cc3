//! Refusals as documents: a client can act on each of them without reading its text.

use onlyonce_testbed::{
    client::{Request, Response},
    effects::{Answer, Upstream},
};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, send, transfer_of},
};

/// What every document has, whatever it says.
#[track_caller]
fn assert_document(answer: &Response, status: u16, name: &str, next: &str) -> Value {
    let document = assert_problem(answer, status, name);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((&document["next"], &document["retryable"]), (&json!(next), &json!(next == "same-key")));
    for member in ["title", "detail"] {
        assert!(document[member].as_str().is_some_and(|text| text.len() > 10), "{document:#}");
    }
    document
}

/// What a document about an operation has.
#[track_caller]
fn assert_about(document: &Value, state: &str) {
    assert!(document["operation_ref"].as_str().unwrap().starts_with("op_"), "{document:#}");
    assert_eq!(document["state"], state);
    let first = document["first_attempt_at"].as_str().unwrap();
    assert!(first.starts_with("20") && first.ends_with('Z'), "{first}");
}

#[tokio::test]
async fn a_conflict_tells_the_owner_what_the_key_stands_for_and_where_it_differs() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let pay = |amount, pin| {
        let body = json!({ "to": "ES09", "amount": amount, "pin": pin });
        Request::post("/transfers").key("k").header("x-principal", "ana").json(&body)
    };
    send(gateway.address, &pay(100, "1234")).await;
    let answer = send(gateway.address, &pay(999, "5678")).await;
    let document = assert_document(&answer, 422, "key-reused", "check");
    assert_about(&document, "completed");
    assert_eq!(document["differs"], json!(["/amount"]), "what is redacted cannot be told apart");
    let accepted = json!({ "method": "POST", "path": "/transfers", "body": { "to": "ES09", "amount": 100, "pin": "•••" } });
    assert_eq!(document["accepted"], accepted);
    assert!(!answer.text().contains("1234") && !answer.text().contains("999"), "{}", answer.text());
}

/// Of two requests that look alike, the owner was told only that they are not, and the host is what nobody thinks of.
#[tokio::test]
async fn a_conflict_in_what_is_not_shown_says_where_to_look() {
    let upstream = Upstream::counting().await;
    let setup = Setup::by_header().defaults("fingerprint.headers = [\"x-tenant\"]");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let pay =
        |tenant, amount| transfer_of("k", amount).header("x-principal", "ana").header("x-tenant", tenant);
    send(gateway.address, &pay("1", 100)).await;
    let says =
        "differs in what is not shown (look at host, content type, headers that count, hidden members)";
    for (tenant, amount, expected) in [("2", 100, true), ("2", 101, false)] {
        let answer = send(gateway.address, &pay(tenant, amount)).await;
        let document = assert_document(&answer, 422, "key-reused", "check");
        assert_eq!(document["detail"].as_str().unwrap().contains(says), expected, "{document:#}");
        assert_eq!(document["differs"].is_null(), expected, "{document:#}");
    }
}

/// Everybody who knows the key shares the scope, so nobody is shown anything.
#[tokio::test]
async fn a_conflict_in_an_anonymous_scope_shows_no_parameters() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer_of("k", 100)).await;
    let answer = send(gateway.address, &transfer_of("k", 101)).await;
    let document = assert_document(&answer, 422, "key-reused", "check");
    assert_eq!((&document["accepted"], &document["differs"]), (&Value::Null, &Value::Null));
    assert!(!answer.text().contains("ES09"));
}

#[tokio::test]
async fn a_route_chooses_the_status_of_a_conflict_and_how_much_it_tells() {
    for (lines, status, accepted, differs) in [
        ("on_mismatch = 409\nconflict = \"fields\"", 409, false, true),
        ("on_mismatch = 400\nconflict = \"none\"", 400, false, false),
    ] {
        let upstream = Upstream::counting().await;
        let gateway = Gateway::start(&upstream.url(), Setup::by_header().defaults(lines)).await;
        let pay = |amount| transfer_of("k", amount).header("x-principal", "ana");
        send(gateway.address, &pay(1)).await;
        let answer = send(gateway.address, &pay(2)).await;
        let document = assert_document(&answer, status, "key-reused", "check");
        assert_eq!((!document["accepted"].is_null(), !document["differs"].is_null()), (accepted, differs));
    }
}

/// The route that kept the parameters says whether they are, and no other one shows their values.
#[tokio::test]
async fn what_one_route_keeps_to_itself_another_one_does_not_show() {
    let upstream = Upstream::counting().await;
    let routes = "[[route]]\nmatch = \"POST /quiet\"\nconflict = \"none\"\n[[route]]\nmatch = \"POST /loud\"";
    let gateway = Gateway::start(&upstream.url(), Setup::by_header().table(routes)).await;
    let pay = |path: &str| {
        let body = json!({ "to": "ES09", "amount": path.len() });
        Request::post(path).key(path_key(path)).header("x-principal", "ana").json(&body)
    };
    for (first, second, differs) in
        [("/quiet?a", "/loud?a", false), ("/loud?b", "/transfers?b", true), ("/loud?c", "/loud?c=1", true)]
    {
        assert_eq!(send(gateway.address, &pay(first)).await.status, 201);
        let answer = send(gateway.address, &pay(second)).await;
        let document = assert_document(&answer, 422, "key-reused", "check");
        assert_eq!(!document["differs"].is_null(), differs, "{first} {second}");
        let is_own = second.starts_with("/loud?c");
        assert_eq!(
            (!document["accepted"].is_null(), answer.text().contains("ES09")),
            (is_own, is_own),
            "{first}"
        );
    }
}

/// One key for each pair.
fn path_key(path: &str) -> &str {
    path.split_once('?').and_then(|(_, query)| query.get(..1)).unwrap_or(path)
}

#[tokio::test]
async fn an_unknown_outcome_comes_with_the_place_to_ask() {
    let upstream = Upstream::start(|_| async { Answer::new(504) }).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer_of("k", 1)).await;
    let answer = send(gateway.address, &transfer_of("k", 1)).await;
    let document = assert_document(&answer, 409, "outcome-unknown", "poll");
    assert_about(&document, "unknown");
    let place = Request::get(document["operation"].as_str().unwrap());
    let told = send(gateway.address, &place).await.json();
    assert_eq!((&told["operation_ref"], &told["seen_status"]), (&document["operation_ref"], &json!(504)));
}

/// Those that concern no operation name none.
#[tokio::test]
async fn a_refusal_before_the_look_up_tells_nothing_of_any_operation() {
    let upstream = Upstream::counting().await;
    let setup = Setup::by_header().defaults("key = \"required\"\nrequest_limit = \"10B\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let ana = |request: Request| request.header("x-principal", "ana");
    for (request, status, name) in [
        (Request::post("/").key("k").body("x"), 401, "principal-required"),
        (Request::post("/").body("x"), 401, "principal-required"),
        (ana(Request::post("/").body("x")), 400, "key-missing"),
        (ana(Request::post("/").key("a,b")), 400, "key-invalid"),
        (ana(Request::post("/").key("k").body("more than ten bytes")), 413, "request-too-large"),
    ] {
        let document = assert_document(&send(gateway.address, &request).await, status, name, "fix");
        for member in ["operation_ref", "state", "operation", "first_attempt_at"] {
            assert!(document[member].is_null(), "{document:#}");
        }
    }
    assert_eq!(upstream.arrivals(), 0);
}
