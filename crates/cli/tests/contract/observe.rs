//! `mode = "observe"` in front of the demo's bank, beside its twin that has nothing in front: nothing changes for
//! anybody, and metrics and log say what would have happened.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use onlyonce_demo::{Demo, Options};
use onlyonce_testbed::{
    Close, Gate, Headers,
    client::{Connection, Request, Response},
    effects::Upstream,
    hostile::{Behaviour, Hostile},
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{all, begin_many, send, transfer},
};

const ROUTE: &str = "[[route]]\nmatch = \"POST /transfers\"\nmode = \"observe\"\nkey = \"required\"\n";

fn observing() -> Setup {
    Setup::by_header().defaults("request_limit = \"1KiB\"").table(ROUTE).environment("ONLYONCE_LOG", "info")
}

/// What a caller gets, but for when.
fn seen(answer: &Response) -> (u16, Vec<(String, String)>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = answer.headers.iter().filter(|(name, _)| *name != b"date".as_slice());
    (answer.status, lines.map(|(name, value)| (text(name), text(value))).collect(), answer.text())
}

fn pay(key: &str, amount: u64) -> Request {
    Request::post("/transfers")
        .header("x-principal", "ana")
        .key(key)
        .json(&json!({ "from": "ana", "to": "luis", "amount": amount }))
}

/// The day of a client that does all that goes wrong.
fn day() -> Vec<Request> {
    vec![
        pay("one", 10),
        pay("one", 10),
        pay("one", 11),
        pay("two", 1_000_000),
        pay("two", 1_000_000),
        Request::post("/transfers")
            .header("x-principal", "ana")
            .json(&json!({ "from": "ana", "to": "luis", "amount": 1 })),
        Request::post("/transfers").key("three").json(&json!({ "from": "ana", "to": "luis", "amount": 2 })),
        pay("bad key", 3).header("idempotency-key", "another"),
        pay("large", 4).body("x".repeat(2000)),
        Request::post("/transfers")
            .header("x-principal", "ana")
            .key("chunked")
            .chunked(["{\"from\":\"ana\",", "\"to\":\"luis\",\"amount\":5}"], Headers::new())
            .header("content-type", "application/json"),
        Request::get("/accounts"),
        Request::get("/transfers"),
    ]
}

#[tokio::test]
async fn an_observed_bank_pays_twice_as_ever_and_its_operator_is_told() {
    let held = Arc::new(Mutex::new(None));
    let start = {
        let held = Arc::clone(&held);
        move |bank: SocketAddr| async move {
            let gateway = Gateway::start(&format!("http://{bank}"), observing()).await;
            let address = gateway.address;
            *held.lock().unwrap() = Some(gateway);
            Ok::<_, Infallible>(address)
        }
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let demo = Demo::start(Options { page: Some(any) }, start).await.unwrap();
    let mut gateway = held.lock().unwrap().take().unwrap();
    for request in day() {
        let observed = send(gateway.address, &request).await;
        let bare = send(demo.addresses().twin, &request).await;
        assert_eq!(seen(&observed), seen(&bare));
    }
    for sample in [
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"executed\"} 3",
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"replayed\"} 2",
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"mismatch\"} 1",
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"missing\"} 1",
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"unauthenticated\"} 1",
        "onlyonce_observed_total{route=\"POST /transfers\",result=\"invalid\"} 2",
        "onlyonce_requests_total{route=\"POST /transfers\",result=\"passed\"} 10",
        "onlyonce_requests_total{route=\"*\",result=\"passed\"} 2",
        "onlyonce_open_records 0",
        "onlyonce_batch_size_count 0",
    ] {
        gateway.until_shown(sample).await;
    }
    gateway.process.kill9().await;
    let log = gateway.process.stderr().join("\n");
    let told = |result: &str| {
        let line = |line: &&str| line.contains("observed only") && line.contains(&format!("\"{result}\""));
        log.lines().filter(line).count()
    };
    assert_eq!(
        [told("replayed"), told("mismatch"), told("missing"), told("unauthenticated")],
        [2, 1, 1, 1],
        "{log}"
    );
    assert!(
        log.lines()
            .filter(|line| line.contains("\"replayed\""))
            .all(|line| line.contains("idempotency.key_hash"))
    );
    assert!(!log.contains("\"one\"") && !log.contains("amount"), "{log}");
}

/// Repeats that come while the first one runs are not held back, and are told as what they would have been given.
#[tokio::test]
async fn repeats_of_a_running_request_run_beside_it_and_would_have_been_replayed() {
    let (before, after) = (Gate::closed(), Gate::opened());
    let upstream = Upstream::gated(&before, &after).await;
    let gateway = Gateway::start(&upstream.url(), observing()).await;
    let begun = begin_many(gateway.address, &transfer("k").header("x-principal", "ana"), 3);
    before.arrived(3).await;
    before.open();
    let answers = all(begun).await;
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.header("idempotency-status").is_none())
    );
    assert_eq!(upstream.executions("k"), 3);
    gateway.until_shown("onlyonce_observed_total{route=\"POST /transfers\",result=\"executed\"} 1").await;
    gateway.until_shown("onlyonce_observed_total{route=\"POST /transfers\",result=\"replayed\"} 2").await;
}

/// Enforced, its attempt would have run on and been kept.
#[tokio::test]
async fn a_client_that_hangs_up_and_asks_again_would_have_been_given_its_result() {
    let before = Gate::closed();
    let upstream = Upstream::gated(&before, &Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), observing()).await;
    let request = transfer("k").header("x-principal", "ana");
    let mut client = Connection::open(gateway.address).await.unwrap();
    client.start(&request).await.unwrap();
    before.arrived(1).await;
    client.close(Close::Reset);
    gateway.until_shown("onlyonce_observed_total{route=\"POST /transfers\",result=\"executed\"} 1").await;
    before.open();
    assert_eq!(send(gateway.address, &request).await.status, 201);
    gateway.until_shown("onlyonce_observed_total{route=\"POST /transfers\",result=\"replayed\"} 1").await;
}

/// An enforced request is whole before anything is sent; an observed one goes on as it comes.
#[tokio::test]
async fn an_observed_request_is_not_held_until_it_is_whole() {
    let hostile = Hostile::start(Behaviour::AnswersSlowly).await;
    let gateway = Gateway::start(&hostile.url(), observing()).await;
    let bytes = transfer("k").header("x-principal", "ana").to_bytes(gateway.address);
    let (most, rest) = bytes.split_at(bytes.len() - 5);
    let mut client = Connection::open(gateway.address).await.unwrap();
    client.write(most).await.unwrap();
    hostile.heads_arrived(1).await;
    assert_eq!(hostile.bodies(), 0);
    client.write(rest).await.unwrap();
    hostile.bodies_arrived(1).await;
}
