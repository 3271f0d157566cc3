//! HTTP/2 with prior knowledge: the same contract and the same bounds, with a client that speaks nothing else.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use onlyonce_testbed::{
    Gate, WAIT_LIMIT, client,
    effects::{Answer, Upstream},
    hostile::{Behaviour, Hostile},
};
use tokio::net::TcpStream;

use crate::gateway::{Gateway, Setup};

/// An answer with everything that came.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn pay(key: &str) -> hyper::http::request::Builder {
    Request::post("http://bank.example/transfers")
        .header("content-type", "application/json")
        .header("idempotency-key", key)
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, request: hyper::http::request::Builder) -> Answered {
    let request = request.body(Full::from("{\"amount\":100}")).unwrap();
    let answer = tokio::time::timeout(WAIT_LIMIT, sender.send_request(request)).await.unwrap().unwrap();
    let (parts, body) = answer.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned();
    Answered { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers }
}

fn text<'a>(answer: &'a Answered, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn a_keyed_request_is_executed_once_and_replayed() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    let first = send(&mut sender, pay("k")).await;
    assert_eq!((first.status.as_u16(), text(&first, "idempotency-status")), (201, Some("executed")));
    let again = send(&mut sender, pay("k")).await;
    assert_eq!(text(&again, "idempotency-status"), Some("replayed"));
    assert_eq!(again.body, first.body);
    assert_eq!(upstream.executions("k"), 1);
    // The host is the authority, so the same request over HTTP/1.1 is the same operation.
    let plain = client::Request::post("/transfers").header("host", "bank.example").key("k");
    let plain = plain.header("content-type", "application/json").body("{\"amount\":100}");
    let plain = client::send(gateway.address, &plain).await.unwrap();
    assert_eq!(plain.header("idempotency-status"), Some("replayed"), "{}", plain.text());
}

#[tokio::test]
async fn streams_of_one_connection_wait_for_the_first_of_their_key() {
    let (before, after) = (Gate::closed(), Gate::opened());
    let upstream = Upstream::gated(&before, &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let sender = connect(gateway.address).await;
    let all: Vec<_> = (0..20)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { send(&mut sender, pay("k")).await })
        })
        .collect();
    gateway.until("onlyonce_waiters", 19).await;
    before.open();
    for one in all {
        assert_eq!(one.await.unwrap().status, 201);
    }
    assert_eq!(upstream.executions("k"), 1);
}

#[tokio::test]
async fn trailers_come_through_on_the_first_answer_and_on_replays() {
    let upstream = Hostile::start(Behaviour::SendsTrailers).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    for status in ["executed", "replayed"] {
        let answer = send(&mut sender, pay("k")).await;
        assert_eq!(text(&answer, "idempotency-status"), Some(status));
        let digest = answer.trailers.as_ref().and_then(|trailers| trailers.get("digest"));
        assert_eq!(digest.and_then(|value| value.to_str().ok()), Some("x"), "{status}");
    }
}

#[tokio::test]
async fn early_hints_are_no_outcome() {
    let upstream = Hostile::start(Behaviour::HintsFirst).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    for status in ["executed", "replayed"] {
        let answer = send(&mut sender, pay("k")).await;
        assert_eq!((answer.status.as_u16(), text(&answer, "idempotency-status")), (201, Some(status)));
    }
}

#[tokio::test]
async fn what_is_refused_says_nothing_of_the_connection() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    let two_hosts = send(&mut sender, pay("k").header("host", "other.example")).await;
    assert_eq!(two_hosts.status, 400);
    assert!(String::from_utf8_lossy(&two_hosts.body).contains("request-ambiguous"));
    assert_eq!(text(&two_hosts, "connection"), None);
    // Too many lines, too many bytes for HTTP/2, and too many for us, within what HTTP/2 bears.
    for (count, length) in [(101, 1), (4, 9_000), (1, 33 << 10)] {
        let large =
            (0..count).fold(pay("k"), |request, n| request.header(format!("x-{n}"), "a".repeat(length)));
        let refused = send(&mut sender, large).await;
        assert_eq!(refused.status, 431);
        assert_eq!(
            text(&refused, "idempotency-status"),
            None,
            "an upstream with our bounds would say the same"
        );
    }
    assert_eq!(upstream.arrivals(), 0);
    assert_eq!(send(&mut sender, pay("k")).await.status, 201, "the connection goes on");
}

#[tokio::test]
async fn cookies_that_come_in_crumbs_reach_the_upstream_as_one() {
    let upstream = Upstream::start(|_| async { Answer::new(204) }).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    send(&mut sender, pay("k").header("cookie", "a=1").header("cookie", "b=2")).await;
    assert_eq!(upstream.seen()[0].header("cookie"), Some("a=1; b=2"));
    assert_eq!(upstream.seen()[0].header("host"), Some("bank.example"));
}

#[tokio::test]
async fn a_gateway_that_stops_answers_what_has_begun() {
    let (before, after) = (Gate::closed(), Gate::opened());
    let upstream = Upstream::gated(&before, &after).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut sender = connect(gateway.address).await;
    let first = tokio::spawn(async move { send(&mut sender, pay("k")).await });
    before.arrived(1).await;
    gateway.process.sigterm().unwrap();
    gateway.process.ready("stopping").await;
    before.open();
    assert_eq!(first.await.unwrap().status, 201);
    assert_eq!(gateway.process.wait().await.code(), Some(0));
}

#[tokio::test]
async fn a_hundred_streams_with_one_key_have_one_effect() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let sender = connect(gateway.address).await;
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { send(&mut sender, pay("k")).await })
        })
        .collect();
    let mut bodies = Vec::new();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 201);
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!((bodies.len(), upstream.executions("k")), (1, 1));
}
