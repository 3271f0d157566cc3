//! Which requests have a key, and what a key looks like.

use onlyonce_testbed::{
    Headers,
    client::{self, Kind, Request},
    effects::Upstream,
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

#[tokio::test]
async fn a_quoted_and_a_bare_key_mean_the_same_and_the_upstream_sees_one_form() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("8e03978e-40d5")).await;
    for spelled in ["\"8e03978e-40d5\"", "  8e03978e-40d5\t", "\"8e03978e-40d5\";a=1;b"] {
        let repeat = send(gateway.address, &transfer(spelled)).await;
        assert_eq!(
            (repeat.header("idempotency-key"), said(&repeat)),
            (Some(spelled.trim()), Some("replayed"))
        );
        assert_eq!(repeat.body, first.body);
    }
    assert_executed(&send(gateway.address, &transfer("\"a\\\"b\"")).await, 201);
    let seen = upstream.seen();
    let keys: Vec<_> = seen.iter().map(|seen| seen.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys, ["\"8e03978e-40d5\"", "\"a\\\"b\""]);
}

#[tokio::test]
async fn a_malformed_key_is_refused_and_nothing_runs() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let long = "x".repeat(256);
    let malformed: [&[u8]; 13] = [
        b"",
        b"\"\"",
        b"\"open",
        b"\"a\\b\"",
        b"\"a\" \"b\"",
        b"a,b",
        b"\"a\", \"b\"",
        b"a;1",
        b"a b",
        b"k\xc3\xa9y",
        b":YWJj:",
        b"?1",
        long.as_bytes(),
    ];
    for key in malformed {
        let answer = send(gateway.address, &Request::post("/transfers").key(key)).await;
        assert_problem(&answer, 400, "key-invalid");
        assert_eq!(answer.headers.get_bytes("idempotency-key"), Some(key), "echoed as it was written");
    }
    let twice = transfer("x").header("idempotency-key", "x");
    assert_problem(&send(gateway.address, &twice).await, 400, "key-invalid");
    assert_eq!(upstream.arrivals(), 0);
    assert_executed(&send(gateway.address, &transfer(&long[..255])).await, 201);
}

#[tokio::test]
async fn a_strict_route_takes_quoted_keys_only() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("syntax = \"strict\"")).await;
    assert_problem(&send(gateway.address, &transfer("bare")).await, 400, "key-invalid");
    assert_executed(&send(gateway.address, &transfer("\"quoted\"")).await, 201);
    assert_eq!(upstream.arrivals(), 1);
}

/// A safe method cannot do anything twice: its key means nothing, is not taken and not echoed.
#[tokio::test]
async fn a_key_on_a_safe_method_or_one_that_was_not_chosen_means_nothing() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for method in ["GET", "OPTIONS", "PUT", "DELETE"] {
        for _ in 0..2 {
            let answer = send(gateway.address, &Request::new(method, "/x").key(method)).await;
            assert_eq!((answer.status, said(&answer)), (201, None), "{method}");
            assert!(!answer.headers.contains("idempotency-key"), "{method}");
        }
        assert_eq!(upstream.executions(method), 2, "{method}");
    }
}

#[tokio::test]
async fn a_route_chooses_its_methods_and_whether_a_key_is_needed() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous()
        .table("[[route]]\nmatch = \"PUT /orders/{id}\"\nkey = \"required\"")
        .table("[[route]]\nmatch = \"POST /clicks\"\nkey = \"off\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let order = Request::new("PUT", "/orders/7").body("x");
    assert_problem(&send(gateway.address, &order).await, 400, "key-missing");
    let first = send(gateway.address, &order.clone().key("k")).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &order.key("k")).await, &first);
    for _ in 0..2 {
        assert_eq!(said(&send(gateway.address, &Request::post("/clicks").key("k")).await), None);
    }
    assert_eq!(upstream.total(), 3);
}

/// A path that an upstream may read as another one would slip past the route that asks for a key.
#[tokio::test]
async fn a_path_that_reads_two_ways_does_not_get_round_a_route_that_needs_a_key() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().table("[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for path in [
        "//transfers",
        "/./transfers",
        "/a/../transfers",
        "/%74ransfers",
        "/transfers;v=1",
        "/a%2F..%2Ftransfers",
    ] {
        assert_eq!(send(gateway.address, &Request::post(path)).await.status, 400, "{path}");
    }
    assert_problem(&send(gateway.address, &Request::post("/transfers/")).await, 400, "key-missing");
    assert_eq!(upstream.arrivals(), 0);
}

/// Early data can be sent again by anybody who has seen it.
#[tokio::test]
async fn a_keyed_request_from_early_data_is_put_off() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let early = transfer("k").header("early-data", "1");
    assert_eq!(assert_problem(&send(gateway.address, &early).await, 425, "too-early")["next"], "same-key");
    assert_eq!(upstream.arrivals(), 0);
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
}

/// Nothing is claimed for a body that cannot be compared or is not there.
#[tokio::test]
async fn a_body_that_is_too_large_or_does_not_arrive_whole_leaves_the_key_free() {
    let upstream = Upstream::counting().await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("request_limit = \"1KiB\"")).await;
    let sized = |size| Request::post("/").key("k").body(vec![b'x'; size]);
    let chunked = Request::post("/").key("k").chunked([[b'x'; 800], [b'x'; 800]], Headers::new());
    for large in [sized(1025), chunked] {
        assert_problem(&send(gateway.address, &large).await, 413, "request-too-large");
    }
    let broken = Request::post("/").key("k").header("transfer-encoding", "chunked").body("5\r\nabcdeX");
    match client::send(gateway.address, &broken).await {
        Ok(answer) => drop(assert_problem(&answer, 400, "request-incomplete")),
        // The server may also just end a connection whose framing is lost.
        Err(error) => assert_ne!(error.kind(), Kind::TimedOut),
    }
    assert_executed(&send(gateway.address, &sized(1024)).await, 201);
    assert_eq!(upstream.arrivals(), 1);
}
