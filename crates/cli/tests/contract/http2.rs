//! The same contract over HTTP/2 with prior knowledge (h2c).

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use onlyonce_testbed::{
    Close,
    effects::Upstream,
    hostile::{Behaviour, End, Hostile, Piece, Plan, Reads},
};
use serde_json::json;
use tokio::net::TcpStream;

use crate::gateway::{Gateway, Setup};

type Sender = http2::SendRequest<Full<Bytes>>;
type Builder = hyper::http::request::Builder;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    sender
}

fn post(key: &str) -> Builder {
    Request::post("http://bank.example/transfers")
        .header("idempotency-key", key)
        .header("content-type", "application/json")
}

async fn send(sender: &Sender, request: Builder, body: String) -> (Response<()>, Bytes) {
    let request = request.body(Full::from(body)).unwrap();
    let (head, body) = sender.clone().send_request(request).await.unwrap().into_parts();
    (Response::from_parts(head, ()), body.collect().await.unwrap().to_bytes())
}

fn said(answer: &Response<()>) -> Option<&str> {
    answer.headers().get("idempotency-status").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_key_means_the_same_over_http_2() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let sender = connect(gateway.address).await;
    let order = |amount: u32| json!({ "amount": amount }).to_string();
    let (first, body) = send(&sender, post("k"), order(100)).await;
    assert_eq!((first.status().as_u16(), said(&first)), (201, Some("executed")));
    let (again, same) = send(&sender, post("k"), order(100)).await;
    assert_eq!((again.status().as_u16(), said(&again), &same), (201, Some("replayed"), &body));
    let (other, document) = send(&sender, post("k"), order(999)).await;
    assert_eq!(other.status().as_u16(), 422);
    assert!(String::from_utf8_lossy(&document).contains("key-reused"));
    assert_eq!(upstream.executions("k"), 1);
    // And it is the same operation as over HTTP/1.1: the host that counts is :authority.
    let one = onlyonce_testbed::client::Request::post("/transfers").header("Host", "bank.example").key("k");
    let answer = onlyonce_testbed::client::send(gateway.address, &one.json(&json!({ "amount": 100 }))).await;
    assert_eq!(answer.unwrap().header("idempotency-status"), Some("replayed"));
}

#[tokio::test]
async fn a_hundred_streams_with_one_key_have_one_effect() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let sender = connect(gateway.address).await;
    let ask = || {
        let sender = sender.clone();
        tokio::spawn(async move { send(&sender, post("k"), "{}".to_owned()).await })
    };
    let asked: Vec<_> = (0..100).map(|_| ask()).collect();
    let mut bodies = Vec::new();
    for answer in asked {
        let (head, body) = answer.await.unwrap();
        assert_eq!(head.status().as_u16(), 201);
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!((bodies.len(), upstream.executions("k")), (1, 1));
}

/// A refusal before the body was read closes an HTTP/1.1 connection; here it ends its stream, and the others go on.
#[tokio::test]
async fn a_refused_request_ends_its_stream_and_not_the_connection() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().defaults("request_limit = \"1KiB\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let sender = connect(gateway.address).await;
    let two_hosts = post("a").header("host", "other.example");
    let many = (0..101).fold(post("b"), |request, n| request.header(format!("x-{n}"), "1"));
    for (request, body, status) in
        [(two_hosts, String::new(), 400), (many, String::new(), 431), (post("c"), "x".repeat(2000), 413)]
    {
        let (answer, _) = send(&sender, request, body).await;
        assert_eq!(answer.status().as_u16(), status);
    }
    assert_eq!(upstream.arrivals(), 0);
    let (answer, _) = send(&sender, post("d"), "{}".to_owned()).await;
    assert_eq!(answer.status().as_u16(), 201);
}

#[tokio::test]
async fn trailers_reach_an_http_2_client_on_the_first_answer_and_on_its_replay() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n1\r\nx\r\n0\r\nx-checksum: abc\r\n\r\n";
    let plan =
        Plan { reads: Reads::Whole, writes: vec![Piece::Bytes(answer.into())], end: End::Close(Close::Fin) };
    let upstream = Hostile::start(Behaviour::Planned(plan)).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let sender = connect(gateway.address).await;
    for _ in 0..2 {
        let request = post("k").header("te", "trailers").body(Full::from("{}")).unwrap();
        let answer = sender.clone().send_request(request).await.unwrap();
        let trailers = answer.into_body().collect().await.unwrap().trailers().cloned();
        assert_eq!(trailers.unwrap()["x-checksum"], "abc");
    }
    assert_eq!(upstream.executions("k"), 1);
}
