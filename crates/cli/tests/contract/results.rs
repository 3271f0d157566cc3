//! What a replay gives back, and what it does not.

use onlyonce_testbed::{
    Gate, Headers,
    client::{Request, Response},
    effects::{Answer, Upstream},
    hostile::{Behaviour, End, Hostile, Idle, Piece, Plan, Reads},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, begin, said, send, transfer},
};

async fn twice(gateway: &Gateway, request: &Request) -> (Response, Response) {
    (send(gateway.address, request).await, send(gateway.address, request).await)
}

/// Whoever does not keep an answer because of its size must still keep that there was one.
#[tokio::test]
async fn f19_an_answer_too_large_to_keep_is_given_once_and_the_repeat_does_not_run() {
    let upstream = Upstream::start(|arrival| async move {
        arrival.execute();
        Answer::new(201).body(vec![b'x'; 200_000])
    });
    let upstream = upstream.await;
    let setup = Setup::anonymous().defaults("answer_limit = \"1KiB\"");
    let mut gateway = Gateway::start(&upstream.url(), setup).await;
    let (first, repeat) = twice(&gateway, &transfer("k")).await;
    assert_executed(&first, 201);
    assert_eq!((first.body.len(), first.header("idempotency-expires")), (200_000, None));
    let document = assert_problem(&repeat, 409, "result-unavailable");
    assert_eq!((&document["state"], &document["next"]), (&"tombstone".into(), &"stop".into()));
    assert!(document["detail"].as_str().unwrap().contains("201"), "{document:#}");
    gateway.crash_and_restart().await;
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "result-unavailable");
    assert_eq!(upstream.executions("k"), 1);
}

/// Those who wait for it are not given half of it either.
#[tokio::test]
async fn f19_whoever_waits_for_an_answer_too_large_to_keep_is_told_that_it_is_gone() {
    let after = Gate::closed();
    let gate = after.clone();
    let upstream = Upstream::start(move |arrival| {
        let gate = gate.clone();
        async move {
            arrival.execute();
            gate.pass().await;
            Answer::new(201).body(vec![b'x'; 200_000])
        }
    });
    let upstream = upstream.await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("answer_limit = \"1KiB\"")).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let waiting = begin(gateway.address, &transfer("k"));
    gateway.until("onlyonce_waiters", 1).await;
    after.open();
    assert_eq!(first.await.unwrap().body.len(), 200_000);
    assert_problem(&waiting.await.unwrap(), 409, "result-unavailable");
    assert_eq!(upstream.total(), 1);
}

/// The limit itself is still kept.
#[tokio::test]
async fn f19_an_answer_of_just_the_limit_is_kept() {
    let upstream = Upstream::start(|arrival| async move { Answer::new(200).body(arrival.seen.body.clone()) });
    let upstream = upstream.await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("answer_limit = \"1KiB\"")).await;
    for (size, status) in [(0, 200), (1024, 200), (1025, 409)] {
        let request = Request::post("/").key(format!("k-{size}")).body(vec![b'x'; size]);
        let (first, repeat) = twice(&gateway, &request).await;
        assert_eq!((first.status, first.body.len(), repeat.status), (200, size, status));
    }
}

/// A replay that is always 200 turns a refusal into a receipt.
#[tokio::test]
async fn f20_a_replay_has_the_status_of_the_first_answer() {
    let upstream = Upstream::start(|arrival| async move {
        Answer::new(arrival.seen.path.trim_start_matches('/').parse().expect("a path that is a status"))
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for status in
        [200, 201, 202, 204, 205, 206, 301, 303, 304, 400, 402, 404, 409, 410, 422, 423, 451, 500, 501, 507]
    {
        let (first, repeat) =
            twice(&gateway, &Request::post(format!("/{status}")).key(status.to_string())).await;
        assert_executed(&first, status);
        assert_replays(&repeat, &first);
    }
}

/// What is folded, re-coded or handed to the wrong caller on replay: repeated lines, bytes that are no text, cookies.
#[tokio::test]
async fn f21_a_replay_is_byte_exact_and_carries_no_credentials() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let body = bytes.clone();
    let upstream = Upstream::start(move |_| {
        let answer = Answer::new(201)
            .header("content-type", "application/octet-stream")
            .header("content-encoding", "gzip")
            .header("link", "</a>; rel=next")
            .header("set-cookie", "session=ana; HttpOnly")
            .header("link", "</b>; rel=prev")
            .header("set-cookie", "theme=dark")
            .header("x-raw", [0xe9, 0x20, 0xff])
            .header("x-csrf-token", "1234")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .body(body.clone());
        async move { answer }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let (first, repeat) = twice(&gateway, &transfer("k")).await;
    assert_executed(&first, 201);
    assert_eq!(first.headers.all("set-cookie"), ["session=ana; HttpOnly", "theme=dark"]);
    assert_eq!((first.header("x-csrf-token"), first.header("x-hop")), (Some("1234"), None));
    assert_eq!((repeat.status, said(&repeat)), (201, Some("replayed")));
    for answer in [&first, &repeat] {
        assert_eq!(answer.body, bytes);
        assert_eq!(answer.headers.all("link"), ["</a>; rel=next", "</b>; rel=prev"]);
        assert_eq!(answer.headers.get_bytes("x-raw"), Some(&[0xe9, 0x20, 0xff][..]));
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
    }
    for credential in ["set-cookie", "x-csrf-token", "x-hop"] {
        assert!(!repeat.headers.contains(credential), "{credential}");
    }
}

#[tokio::test]
async fn trailers_are_given_to_the_first_and_to_the_repeat() {
    let upstream = Hostile::start(Behaviour::SendsTrailers).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let (first, repeat) = twice(&gateway, &transfer("k").header("te", "trailers")).await;
    assert_executed(&first, 201);
    assert_eq!(first.trailers.get("digest"), Some("x"));
    assert_replays(&repeat, &first);
}

/// As a trailer, a cookie would be one caller's only, and the word on the outcome is not for the client.
#[tokio::test]
async fn what_is_not_kept_of_headers_does_not_come_as_a_trailer_either() {
    let text = "HTTP/1.1 201 Created\r\nTrailer: digest, set-cookie, idempotency-outcome\r\n\
                Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ndigest: x\r\nset-cookie: session=ana\r\n\
                idempotency-outcome: keep\r\n\r\n";
    let plan =
        || Plan { reads: Reads::Whole, writes: vec![Piece::Bytes(text.into())], end: End::Idle(Idle::Quiet) };
    for limit in ["1KiB", "1B"] {
        let upstream = Hostile::start(Behaviour::Planned(plan())).await;
        let setup = Setup::anonymous().defaults(&format!("answer_limit = \"{limit}\""));
        let gateway = Gateway::start(&upstream.url(), setup).await;
        let answer = send(gateway.address, &transfer("k").header("te", "trailers")).await;
        assert_executed(&answer, 201);
        assert_eq!(answer.trailers, [("digest", "x")].into_iter().collect::<Headers>(), "kept up to {limit}");
        let unkeyed = Request::post("/").header("te", "trailers");
        let answer = send(gateway.address, &unkeyed).await;
        assert!(answer.trailers.contains("digest") && !answer.trailers.contains("idempotency-outcome"));
    }
}

#[tokio::test]
async fn every_keyed_answer_echoes_its_key_as_it_was_written_and_says_how_long_it_is_kept() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for key in ["bare-key", "\"bare-key\"", "\"bare-key\";note=1"] {
        let answer = send(gateway.address, &transfer(key)).await;
        assert_eq!(answer.header("idempotency-key"), Some(key));
        let until = answer.header("idempotency-expires").expect("a kept result has an end");
        assert!(until.ends_with(" GMT"), "{until}");
    }
    assert_eq!(upstream.total(), 1);
}
