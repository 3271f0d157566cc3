//! What a route says of its own upstream: which answers free a key, and what is kept of them.

use std::time::Duration;

use onlyonce_testbed::{
    Close, WAIT_LIMIT,
    client::{Connection, Request},
    effects::{Answer, Upstream},
    hostile::{Behaviour, End, Hostile, Piece, Plan, Reads},
    process::Port,
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

/// An upstream that answers each request with the status that its path names, `/STATUS`, or `/STATUS/retry` with
/// `Retry-After`.
async fn naming_its_status() -> Upstream {
    Upstream::start(|arrival| async move {
        arrival.execute();
        let mut words = arrival.seen.path.trim_matches('/').split('/');
        let status = words.next().and_then(|word| word.parse().ok()).expect("a path that is a status");
        let answer = Answer::new(status).body("x");
        if words.next() == Some("retry") { answer.header("retry-after", "1") } else { answer }
    })
    .await
}

/// What the first request to each path is told, and how often two of them run.
async fn assert_means(setup: Setup, cases: &[(&str, &str, usize)]) {
    let upstream = naming_its_status().await;
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for (path, means, executions) in cases {
        let request = Request::post(*path).key(*path);
        assert_eq!(said(&send(gateway.address, &request).await), Some(*means), "{path}");
        send(gateway.address, &request).await;
        assert_eq!(upstream.executions(path), *executions, "{path}");
    }
}

#[tokio::test]
async fn what_a_route_says_of_a_status_beats_the_table() {
    let outcome = "[defaults.outcome]\n\"503\" = \"unknown\"\n\"404\" = \"release\"\n\"500\" = \"unknown\"\n\
                   \"429\" = \"keep\"\n\"502\" = \"release\"";
    assert_means(
        Setup::anonymous().table(outcome),
        &[
            ("/503/retry", "unknown", 1),
            ("/404", "released", 2),
            ("/500", "unknown", 1),
            ("/429", "executed", 1),
            ("/502", "released", 2),
            ("/401", "released", 2),
            ("/201", "executed", 1),
        ],
    )
    .await;
}

#[tokio::test]
async fn where_only_what_was_not_sent_frees_a_key_no_answer_does() {
    let strict = || Setup::anonymous().defaults("frees = \"strict\"");
    assert_means(
        strict(),
        &[
            ("/307", "executed", 1),
            ("/401", "executed", 1),
            ("/412", "executed", 1),
            ("/408", "unknown", 1),
            ("/425", "unknown", 1),
            ("/429", "unknown", 1),
            ("/503/retry", "unknown", 1),
            ("/521", "unknown", 1),
            ("/523", "unknown", 1),
            ("/500", "executed", 1),
        ],
    )
    .await;
    let port = Port::reserve();
    let gateway = Gateway::start(&port.url(), strict()).await;
    let refused = send(gateway.address, &transfer("k")).await;
    assert_problem(&refused, 502, "upstream-unreachable");
    assert_eq!(said(&refused), Some("released"));
}

/// The first re-run would be followed by a second beside it.
#[tokio::test]
async fn what_a_route_says_of_a_status_does_not_free_a_re_run() {
    let upstream = Upstream::start(|arrival| async move {
        arrival.execute();
        let first = arrival.effects().seen_with("k").len() == 1;
        Answer::new(if first { 504 } else { 429 }).body("x")
    });
    let upstream = upstream.await;
    let setup = Setup::anonymous()
        .defaults("on_unknown = \"rerun\"\nsettle_after = \"1ms\"")
        .table("[defaults.outcome]\n\"429\" = \"release\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    // The wait before a re-run is a millisecond: a few repeats at most come too early.
    for _ in 0..1_000 {
        assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
        if upstream.executions("k") == 3 {
            return;
        }
    }
    panic!("it was run again {} times", upstream.executions("k") - 1);
}

#[tokio::test]
async fn a_header_that_a_route_drops_is_the_first_callers_only() {
    let upstream = Upstream::start(|_| async move {
        Answer::new(201).header("x-internal", "1").header("x-quota", "9").header("x-kept", "1").body("x")
    });
    let upstream = upstream.await;
    let setup = Setup::anonymous().table(
        "[defaults.headers]\ndrop = [\"x-internal\"]\n[[route]]\nmatch = \"POST /transfers\"\n\
         [route.headers]\ndrop = [\"X-Quota\"]",
    );
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let first = send(gateway.address, &transfer("k")).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((first.header("x-internal"), first.header("x-quota")), (Some("1"), Some("9")));
    assert_eq!((repeat.header("x-internal"), repeat.header("x-quota")), (None, None));
    assert_eq!((repeat.header("x-kept"), said(&repeat)), (Some("1"), Some("replayed")));
}

#[tokio::test]
async fn where_the_body_is_not_kept_a_repeat_gets_the_status_and_location() {
    let upstream = Upstream::start(|_| async move {
        Answer::new(201)
            .header("location", "/transfers/1")
            .header("content-type", "text/plain")
            .header("etag", "\"1\"")
            .body("the account number is ES09")
    });
    let upstream = upstream.await;
    let setup = Setup::anonymous().defaults("store_body = false");
    let mut gateway = Gateway::start(&upstream.url(), setup).await;
    let first = send(gateway.address, &transfer("k")).await;
    assert_executed(&first, 201);
    assert_eq!(first.text(), "the account number is ES09");
    gateway.crash_and_restart().await;
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((repeat.status, said(&repeat)), (201, Some("replayed")));
    assert_eq!(
        (repeat.header("location"), repeat.header("content-length")),
        (Some("/transfers/1"), Some("0"))
    );
    assert_eq!((repeat.header("content-type"), repeat.header("etag"), repeat.body.len()), (None, None, 0));
    assert!(repeat.headers.contains("idempotency-expires"));
}

/// An upstream that sends the head of a stream of events, one event, and then this.
async fn streaming(end: End) -> Hostile {
    let text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                9\r\ndata: 1\n\n\r\n";
    let writes = vec![Piece::Bytes(text.into())];
    Hostile::start(Behaviour::Planned(Plan { reads: Reads::Whole, writes, end })).await
}

/// Its first event came when the deadline had passed, and then the outcome was unknown.
#[tokio::test]
async fn a_stream_of_events_reaches_its_caller_while_it_goes_on_and_is_remembered() {
    let upstream = streaming(End::Hold).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut caller = Connection::open(gateway.address).await.unwrap();
    caller.start(&transfer("k")).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"data: 1\n\n") {
        seen.extend(tokio::time::timeout(WAIT_LIMIT, caller.read(1)).await.unwrap().unwrap());
    }
    assert!(String::from_utf8_lossy(&seen).to_ascii_lowercase().contains("idempotency-status: executed"));
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "result-unavailable");
    gateway.crash_and_restart().await;
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "result-unavailable");
    assert_eq!(upstream.executions("k"), 1);
}

#[tokio::test]
async fn a_stream_of_events_that_breaks_off_breaks_off_for_its_caller_too() {
    let upstream = streaming(End::Close(Close::Fin)).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let broken = onlyonce_testbed::client::send(gateway.address, &transfer("k")).await;
    assert!(broken.is_err(), "{broken:?}");
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "result-unavailable");
}

/// A gateway behind a gateway. The inner one says that nothing was sent, by a status that alone would mean *unknown*.
#[tokio::test]
async fn an_inner_gateway_that_reached_nobody_frees_the_key_of_the_outer_one() {
    let port = Port::reserve();
    let inner = Gateway::start(&port.url(), Setup::anonymous()).await;
    let outer = Gateway::start(&format!("http://{}", inner.address), Setup::anonymous()).await;
    let refused = send(outer.address, &transfer("k")).await;
    assert_problem(&refused, 502, "upstream-unreachable");
    assert_eq!(said(&refused), Some("released"));
    let upstream = Upstream::start_on(port.addr(), |arrival| async move {
        Answer::created(&arrival.execute(), &arrival.seen)
    });
    let upstream = upstream.await;
    let first = send(outer.address, &transfer("k")).await;
    assert_executed(&first, 201);
    assert_replays(&send(outer.address, &transfer("k")).await, &first);
    assert_eq!(upstream.executions("k"), 1);
}

/// A service charges the card, meets *capacity* at an upstream of its own, and hands that on as its answer.
#[tokio::test]
async fn a_document_of_somebody_elses_inner_layer_frees_no_key() {
    let upstream = Upstream::start(|arrival| async move {
        arrival.execute();
        let document = json!({ "type": "urn:problem-type:onlyonce:upstream-unreachable", "status": 502 });
        let answer = Answer::new(502).header("content-type", "application/problem+json");
        let echo = match arrival.seen.path.as_str() {
            "/own" => arrival.seen.header("idempotency-key").unwrap_or_default().to_owned(),
            _ => "\"the-service's-own-key\"".to_owned(),
        };
        answer.header("idempotency-key", echo).body(document.to_string())
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for (path, means) in [("/own", "released"), ("/handed-on", "unknown")] {
        let answer = send(gateway.address, &Request::post(path).key(path)).await;
        assert_eq!(said(&answer), Some(means), "{path}");
    }
}

/// H30: a ledger without room is no ledger that cannot be reached.
#[tokio::test]
async fn a_route_that_fails_open_does_not_open_for_want_of_room() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().defaults("fail_open = true").table("[ledger]\nmax_bytes = \"1KiB\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    assert_problem(&send(gateway.address, &transfer("k")).await, 503, "capacity");
    assert_eq!(upstream.arrivals(), 0);
}

/// One caller's two hundred and fifty-seventh request finds no room; another caller's first does.
#[tokio::test]
async fn one_principal_takes_no_more_than_its_share_of_the_attempts_in_flight() {
    const SHARE: usize = 256;
    let held = onlyonce_testbed::Gate::closed();
    let upstream = Upstream::start({
        let held = held.clone();
        move |arrival| {
            let held = held.clone();
            async move {
                if arrival.seen.header("x-principal") == Some("ana") {
                    held.pass().await;
                }
                Answer::created(&arrival.execute(), &arrival.seen)
            }
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let of = |who: &str, n: usize| transfer(&format!("k-{n}")).header("x-principal", who);
    let begun: Vec<_> = (0..SHARE).map(|n| crate::transfer::begin(gateway.address, &of("ana", n))).collect();
    tokio::time::timeout(WAIT_LIMIT + Duration::from_secs(30), held.arrived(SHARE)).await.unwrap();
    assert_problem(&send(gateway.address, &of("ana", SHARE)).await, 503, "capacity");
    assert_executed(&send(gateway.address, &of("luis", 0)).await, 201);
    held.open();
    for answer in crate::transfer::all(begun).await {
        assert_executed(&answer, 201);
    }
    assert_executed(&send(gateway.address, &of("ana", SHARE)).await, 201);
}
