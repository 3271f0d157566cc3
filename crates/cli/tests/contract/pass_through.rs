//! Requests without a key: the gateway is a plain proxy to them.

use onlyonce_testbed::{
    Close, Headers,
    client::{Connection, Request},
    effects::{Answer, Upstream},
    hostile::{Behaviour, End, Hostile, Idle, Piece, Plan, Reads},
    process::Port,
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::send,
};

#[tokio::test]
async fn an_unkeyed_request_and_its_answer_pass_as_they_are() {
    let upstream = Upstream::start(|arrival| async move {
        Answer::new(418)
            .header("x-a", "1")
            .header("set-cookie", "a=1")
            .header("x-b", [0xe9])
            .header("set-cookie", "b=2")
            .header("keep-alive", "timeout=5")
            .header("idempotency-status", "the upstream's own")
            .header("idempotency-outcome", "keep")
            .body(arrival.seen.body.iter().rev().copied().collect::<Vec<_>>())
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let request = Request::new("BREW", "/a%2Fb//c;d?e=%20&f")
        .header("Host", "shop.example:8443")
        .header("Cookie", "session=1")
        .header("Accept-Encoding", "br")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("X-Raw", [0xff])
        .body(body.clone());
    let answer = send(gateway.address, &request).await;
    assert_eq!((answer.status, answer.header("x-a")), (418, Some("1")));
    assert_eq!(answer.headers.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.headers.get_bytes("x-b"), Some(&[0xe9][..]));
    assert_eq!(answer.header("idempotency-status"), Some("the upstream's own"));
    assert!(!answer.headers.contains("keep-alive"), "that belongs to the upstream's connection");
    assert!(!answer.headers.contains("idempotency-outcome"), "that is said to the gateway");
    assert!(answer.body.iter().eq(body.iter().rev()));
    let seen = &upstream.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("BREW", "/a%2Fb//c;d?e=%20&f"));
    assert_eq!((seen.header("host"), seen.header("cookie")), (Some("shop.example:8443"), Some("session=1")));
    assert_eq!((seen.header("accept-encoding"), seen.headers.all("x-twice")), (Some("br"), vec!["1", "2"]));
    assert_eq!((seen.headers.get_bytes("x-raw"), &seen.body), (Some(&[0xff][..]), &body));
    assert!(!seen.headers.contains("idempotency-operation"));
}

#[tokio::test]
async fn every_unkeyed_repeat_runs() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut connection = Connection::open(gateway.address).await.unwrap();
    for _ in 0..3 {
        assert_eq!(connection.send(&Request::post("/").body("x")).await.unwrap().status, 201);
    }
    assert_eq!(upstream.total(), 3);
}

#[tokio::test]
async fn what_belongs_to_one_connection_stays_on_it_and_forwarding_is_told() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let request = Request::post("/")
        .header("Host", "shop.example")
        .header("Connection", "x-hop, keep-alive")
        .header("X-Hop", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Authorization", "Basic eDp5")
        .header("X-Forwarded-For", "10.1.1.1");
    send(gateway.address, &request).await;
    let seen = &upstream.seen()[0];
    for name in ["x-hop", "keep-alive", "proxy-authorization", "connection"] {
        assert!(!seen.headers.contains(name), "{name}");
    }
    assert_eq!(seen.header("x-forwarded-for"), Some("10.1.1.1, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
}

/// The upstream has the first half before the client has written the second.
#[tokio::test]
async fn an_unkeyed_request_body_streams() {
    let plan = Plan {
        reads: Reads::Head,
        writes: vec![Piece::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())],
        end: End::Close(Close::Fin),
    };
    let upstream = Hostile::start(Behaviour::Planned(plan)).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut client = Connection::open(gateway.address).await.unwrap();
    client
        .write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .await
        .unwrap();
    upstream.heads_arrived(1).await;
    assert_eq!(client.answer("POST").await.unwrap().status, 200);
}

/// The client has the first half before the upstream has written the second, and trailers come through.
#[tokio::test]
async fn an_unkeyed_answer_streams_and_keeps_its_trailers() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let plan = Plan { reads: Reads::Whole, writes: vec![Piece::Bytes(head.into())], end: End::Hold };
    let upstream = Hostile::start(Behaviour::Planned(plan)).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut client = Connection::open(gateway.address).await.unwrap();
    client.start(&Request::get("/")).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"hello") {
        // bounded: each byte by the client's answer limit
        read.extend(client.read(1).await.unwrap());
    }

    let upstream = Hostile::start(Behaviour::SendsTrailers).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let answer = send(gateway.address, &Request::get("/").header("te", "trailers")).await;
    assert_eq!(answer.trailers, [("digest", "x")].into_iter().collect::<Headers>());
}

#[tokio::test]
async fn an_unkeyed_request_that_does_not_come_through_is_told_so_without_a_word_about_keys() {
    let port = Port::reserve();
    let gateway = Gateway::start(&port.url(), Setup::anonymous()).await;
    let answer = send(gateway.address, &Request::post("/")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (502, Some("1")));
    assert!(!answer.text().to_lowercase().contains("key"), "{}", answer.text());
    assert!(!answer.headers.contains("idempotency-status"));

    let upstream = Hostile::start(Behaviour::ResetsUnanswered).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let answer = send(gateway.address, &Request::post("/")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (502, None));
    assert!(answer.text().contains("is unknown") && !answer.text().contains("poll"), "{}", answer.text());
    assert!(!answer.headers.contains("idempotency-status"));
    assert_eq!(upstream.heads(), 1, "nothing is sent twice");
}

/// The connection's task ended in a failed assertion, and the client had no answer.
#[tokio::test]
async fn an_unkeyed_answer_without_a_body_may_speak_of_one() {
    for (method, status) in [("GET", 304), ("GET", 204), ("HEAD", 200)] {
        let text = format!("HTTP/1.1 {status} Any\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\n");
        let plan = Plan {
            reads: Reads::Whole,
            writes: vec![Piece::Bytes(text.into())],
            end: End::Idle(Idle::Quiet),
        };
        let upstream = Hostile::start(Behaviour::Planned(plan)).await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let mut client = Connection::open(gateway.address).await.unwrap();
        for _ in 0..2 {
            let answer = client.send(&Request::new(method, "/")).await.unwrap();
            assert_eq!((answer.status, answer.header("etag")), (status, Some("\"1\"")), "{method}");
            assert_eq!(answer.header("content-length"), (method == "HEAD").then_some("5"), "{status}");
        }
    }
}
