//! The request of these stories, and what its answers say.

use std::net::SocketAddr;

use onlyonce_testbed::client::{self, Request, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const PROBLEM: &str = "urn:problem-type:onlyonce:";
/// What an answer and its replay need not have in common.
const OF_ONE_ANSWER: [&str; 5] =
    ["connection", "date", "set-cookie", "idempotency-status", "idempotent-replayed"];

/// A hundred euros, once.
pub(crate) fn transfer(key: &str) -> Request {
    transfer_of(key, 100)
}

/// So many euros, once. The host is named, since it counts, and a gateway that is started again has another port.
pub(crate) fn transfer_of(key: &str, amount: u32) -> Request {
    let body = json!({ "to_account": "ES09", "amount": amount });
    Request::post("/transfers").header("Host", "bank.example").key(key).json(&body)
}

/// Sends it, and has the whole answer.
pub(crate) async fn send(address: SocketAddr, request: &Request) -> Response {
    client::send(address, request).await.expect("the gateway answers")
}

/// Sends it, and does not wait.
pub(crate) fn begin(address: SocketAddr, request: &Request) -> JoinHandle<Response> {
    let request = request.clone();
    tokio::spawn(async move { send(address, &request).await })
}

/// Sends it so many times at once, each on a connection of its own.
pub(crate) fn begin_many(address: SocketAddr, request: &Request, n: usize) -> Vec<JoinHandle<Response>> {
    (0..n).map(|_| begin(address, request)).collect()
}

/// The answers.
pub(crate) async fn all(begun: Vec<JoinHandle<Response>>) -> Vec<Response> {
    let mut answers = Vec::with_capacity(begun.len());
    for request in begun {
        answers.push(request.await.expect("the gateway answers"));
    }
    answers
}

/// `Idempotency-Status`.
pub(crate) fn said(answer: &Response) -> Option<&str> {
    answer.header("idempotency-status")
}

/// The handler answered this.
#[track_caller]
pub(crate) fn assert_executed(answer: &Response, status: u16) {
    let seen = (answer.status, said(answer), answer.header("idempotent-replayed"));
    assert_eq!(seen, (status, Some("executed"), None), "{}", answer.text());
}

/// It is what another request got first, byte for byte, and says so.
#[track_caller]
pub(crate) fn assert_replays(answer: &Response, first: &Response) {
    let seen = (said(answer), answer.header("idempotent-replayed"));
    assert_eq!(seen, (Some("replayed"), Some("true")), "{} {}", answer.status, answer.text());
    assert_eq!((answer.status, &answer.body), (first.status, &first.body));
    assert_eq!((lasting(answer), &answer.trailers), (lasting(first), &first.trailers));
}

/// It is this refusal, and its document says so too.
#[track_caller]
pub(crate) fn assert_problem(answer: &Response, status: u16, name: &str) -> Value {
    let document = answer.json();
    let named = document["type"].as_str().and_then(|text| text.strip_prefix(PROBLEM));
    assert_eq!((answer.status, named), (status, Some(name)), "{document:#}");
    assert_eq!(document["status"], status, "{document:#}");
    document
}

/// Names and values, by name; lines of one name in their order.
fn lasting(answer: &Response) -> Vec<(String, Vec<u8>)> {
    let lines = answer.headers.iter();
    let mut lines: Vec<_> = lines
        .map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
        .filter(|(name, _)| !OF_ONE_ANSWER.contains(&name.as_str()))
        .collect();
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines
}
