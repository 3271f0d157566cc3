//! What the upstream sees of a keyed request.

use onlyonce_testbed::{
    client::Request,
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, said, send, transfer},
};

/// Forged ones would let a client choose the name of its operation, or overrule its own outcome.
#[tokio::test]
async fn a_clients_own_operation_attempt_and_outcome_never_reach_the_upstream() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let forged = |request: Request| {
        request
            .header("Idempotency-Operation", "op_forged")
            .header("Idempotency-Operation", "op_forged2")
            .header("Idempotency-Attempt", "99")
            .header("Idempotency-Outcome", "release")
    };
    assert_executed(&send(gateway.address, &forged(transfer("k"))).await, 201);
    send(gateway.address, &forged(Request::post("/unkeyed"))).await;
    let seen = upstream.seen();
    let operations = seen[0].headers.all("idempotency-operation");
    assert!(operations.len() == 1 && operations[0].starts_with("op_") && operations[0] != "op_forged");
    assert_eq!(seen[0].headers.all("idempotency-attempt"), ["1"]);
    for name in ["idempotency-operation", "idempotency-attempt", "idempotency-outcome"] {
        assert!(!seen[1].headers.contains(name), "unkeyed: {name}");
    }
    assert!(!seen[0].headers.contains("idempotency-outcome"));
}

/// One name for all attempts of an operation, made for a unique column; the number tells them apart.
#[tokio::test]
async fn an_operation_keeps_its_name_over_its_attempts() {
    let upstream = Upstream::start(|arrival| async move {
        match arrival.effects().arrivals() {
            1 => Answer::new(429),
            _ => Answer::created(&arrival.execute(), &arrival.seen),
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("released"));
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    assert_executed(&send(gateway.address, &transfer("other")).await, 201);
    let seen = upstream.seen();
    assert_eq!(seen[0].operation(), seen[1].operation());
    assert_ne!(seen[1].operation(), seen[2].operation());
    let attempts: Vec<_> = seen.iter().map(|seen| seen.header("idempotency-attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2", "1"]);
}

#[tokio::test]
async fn a_keyed_request_arrives_whole_with_its_headers_and_asks_for_no_coding() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let request = Request::post("/transfers?x=%20")
        .key("k")
        .header("Host", "shop.example")
        .header("X-Principal", "ana")
        .header("Authorization", "Bearer x")
        .header("Accept-Encoding", "gzip, br")
        .header("Expect", "100-continue")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("TE", "gzip, trailers")
        .header("Trailer", "x-trailer")
        .chunked(["ab", "c"], [("x-trailer", "1")].into_iter().collect());
    assert_executed(&send(gateway.address, &request).await, 201);
    let seen = &upstream.seen()[0];
    assert_eq!((seen.path.as_str(), seen.body.as_slice()), ("/transfers?x=%20", b"abc".as_slice()));
    for (name, value) in [
        ("idempotency-key", "\"k\""),
        ("host", "shop.example"),
        ("x-principal", "ana"),
        ("authorization", "Bearer x"),
        ("accept-encoding", "identity"),
        ("content-length", "3"),
        ("x-forwarded-for", "127.0.0.1"),
        ("te", "trailers"),
    ] {
        assert_eq!(seen.headers.all(name), [value], "{name}");
    }
    assert_eq!(seen.headers.all("x-twice"), ["1", "2"]);
    for name in ["expect", "transfer-encoding", "trailer"] {
        assert!(!seen.headers.contains(name), "{name}");
    }
}

/// `Connection` names what a proxy takes away: it must not take away what the upstream protects itself by.
#[tokio::test]
async fn no_client_can_have_its_key_or_principal_taken_away_on_the_way() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    for named in ["Idempotency-Key", "close, x-principal", "authorization", "host", "idempotency-operation"] {
        let request = transfer("k").header("x-principal", "ana").header("connection", named);
        assert_eq!(send(gateway.address, &request).await.status, 400, "{named}");
    }
    assert_eq!(upstream.arrivals(), 0);
}
