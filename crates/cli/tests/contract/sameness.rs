//! What makes two requests the same, and what a key refuses.

use onlyonce_testbed::{Gate, client::Request, effects::Upstream};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, begin, send, transfer, transfer_of},
};

/// A key that is looked up by itself gives a caller of one path the answer of another.
#[tokio::test]
async fn f02_a_key_stands_for_one_method_path_and_query() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let body = json!({ "amount": 100 });
    let first = send(gateway.address, &Request::post("/transfers?x=1").key("k").json(&body)).await;
    assert_executed(&first, 201);
    for (method, path) in [("POST", "/refunds?x=1"), ("POST", "/transfers"), ("PATCH", "/transfers?x=1")] {
        let other = send(gateway.address, &Request::new(method, path).key("k").json(&body)).await;
        assert_problem(&other, 422, "key-reused");
    }
    assert_eq!(upstream.arrivals(), 1);
}

/// The same without the caller in it: who guesses a key, or uses the same order number, gets somebody else's answer.
#[tokio::test]
async fn f02_another_principals_key_is_another_operation() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let ana = transfer("order-17").header("x-principal", "ana");
    let luis = transfer_of("order-17", 999).header("x-principal", "luis");
    let first = send(gateway.address, &ana).await;
    let other = send(gateway.address, &luis).await;
    assert_executed(&first, 201);
    assert_executed(&other, 201);
    assert_ne!(first.body, other.body);
    assert_replays(&send(gateway.address, &ana).await, &first);
    assert_replays(&send(gateway.address, &luis).await, &other);
    assert_eq!(upstream.executions("order-17"), 2);
}

/// Where the key is mixed into the fingerprint, a known key with a new body looks like a new request, and runs.
#[tokio::test]
async fn f03_a_known_key_with_another_body_does_not_run_and_the_first_answer_stays() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer_of("k", 100)).await;
    let changed = send(gateway.address, &transfer_of("k", 101)).await;
    assert_problem(&changed, 422, "key-reused");
    assert_replays(&send(gateway.address, &transfer_of("k", 100)).await, &first);
    assert_eq!(upstream.executions("k"), 1);
}

/// Where the fingerprint is not kept at all, 999 is answered with the receipt of 100. Sameness is by value: spelling
/// does not count, and every digit does.
#[tokio::test]
async fn f04_a_changed_amount_is_never_answered_with_the_receipt_of_the_first() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let written = |body: &str| {
        Request::post("/transfers").key("k").header("content-type", "application/json").body(body)
    };
    let first = send(gateway.address, &written(r#"{"amount":9007199254740993,"to":"Peñón"}"#)).await;
    assert_executed(&first, 201);
    let respelled = written("{ \"to\" : \"Pe\\u00f1\\u00f3n\", \"amount\" : 9007199254740993.0 }");
    assert_replays(&send(gateway.address, &respelled).await, &first);
    for changed in [r#"{"amount":9007199254740992,"to":"Peñón"}"#, r#"{"amount":999,"to":"Peñón"}"#] {
        let answer = send(gateway.address, &written(changed)).await;
        assert_problem(&answer, 422, "key-reused");
        assert!(!answer.text().contains("effect"), "nothing of the first answer is shown");
    }
    assert_eq!(upstream.total(), 1);
}

/// Where «in progress» is judged first, a changed request is told to come back for an answer that is not its own.
#[tokio::test]
async fn f06_a_racing_request_with_another_body_is_refused_while_the_first_one_runs() {
    let before = Gate::closed();
    let upstream = Upstream::gated(&before, &Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer_of("k", 100));
    before.arrived(1).await;
    let racing = send(gateway.address, &transfer_of("k", 999)).await;
    assert_problem(&racing, 422, "key-reused");
    assert!(!first.is_finished(), "the refusal did not wait for the first one");
    before.open();
    assert_executed(&first.await.unwrap(), 201);
    assert_eq!(upstream.total(), 1);
}

/// What is the same and what is not, beyond the body.
#[tokio::test]
async fn white_space_and_a_charset_do_not_make_another_request_and_the_media_type_does() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let typed = |media: &str| {
        Request::post("/transfers").key("k").header("content-type", media).body(r#"{"amount":1}"#)
    };
    let first = send(gateway.address, &typed("application/json")).await;
    let same = send(gateway.address, &typed("Application/JSON; charset=utf-8")).await;
    assert_replays(&same, &first);
    let other = send(gateway.address, &typed("text/plain")).await;
    assert_problem(&other, 422, "key-reused");
    assert_eq!(upstream.total(), 1);
}
