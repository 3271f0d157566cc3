//! What an upstream's answer, or the lack of one, means for the key.

use onlyonce_testbed::{
    Close,
    client::Request,
    effects::{Answer, Upstream},
    hostile::{Behaviour, Coding, End, Hostile, Piece, Plan, Reads},
    process::Port,
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

/// An upstream whose first answer to each key is the one that its path names, `/STATUS`, and whose later ones are 201.
async fn naming_its_first_status() -> Upstream {
    Upstream::start(|arrival| async move {
        let seen = &arrival.seen;
        let key = seen.key().expect("these stories have keys");
        if arrival.effects().seen_with(&key).len() > 1 {
            return Answer::created(&arrival.execute(), seen);
        }
        let status: u16 = seen.path.trim_start_matches('/').parse().expect("a path that is a status");
        Answer::new(status).header("x-first", "1").body(format!("first {status}"))
    })
    .await
}

fn wanting(status: u16) -> Request {
    Request::post(format!("/{status}")).key(format!("k-{status}")).body("x")
}

/// A handler that breaks off after its effect looks like one that did nothing, and a repeat does it twice.
#[tokio::test]
async fn f15_a_handler_that_breaks_off_after_its_effect_is_not_run_again() {
    for behaviour in [Behaviour::ResetsUnanswered, Behaviour::ClosesUnanswered, Behaviour::ClosesMidBody] {
        let named = format!("{behaviour:?}");
        let upstream = Hostile::start(behaviour).await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let first = send(gateway.address, &transfer("k")).await;
        assert_problem(&first, 502, "outcome-unknown");
        assert_eq!(said(&first), Some("unknown"));
        for _ in 0..2 {
            assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
        }
        assert_eq!(upstream.executions("k"), 1, "{named}");
    }
}

/// A 500 says nothing about the effect before it. Who frees the key after one runs it again.
#[tokio::test]
async fn f16_an_error_after_the_effect_is_kept_and_replayed() {
    let upstream = Upstream::start(|arrival| async move {
        let effect = arrival.execute();
        Answer::json(500, &json!({ "error": "the receipt could not be printed", "effect": effect }))
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    assert_executed(&first, 500);
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
    assert_eq!(upstream.executions("k"), 1);
}

/// A lock that stays when the upstream could not be reached keeps the client out after the upstream is back.
#[tokio::test]
async fn f17_a_refused_connection_frees_the_key_at_once() {
    let port = Port::reserve();
    let gateway = Gateway::start(&port.url(), Setup::anonymous()).await;
    let refused = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&refused, 502, "upstream-unreachable");
    assert_eq!((said(&refused), &document["next"]), (Some("released"), &"same-key".into()));
    let upstream = Upstream::start_on(port.addr(), |arrival| async move {
        Answer::created(&arrival.execute(), &arrival.seen)
    });
    let upstream = upstream.await;
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    assert_eq!(upstream.executions("k"), 1);
}

#[tokio::test]
async fn an_answer_that_says_not_done_frees_the_key() {
    let upstream = naming_its_first_status().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for status in
        [307, 308, 401, 403, 405, 406, 407, 408, 412, 413, 415, 417, 421, 425, 428, 429, 431, 521, 523]
    {
        let first = send(gateway.address, &wanting(status)).await;
        assert_eq!((first.status, said(&first)), (status, Some("released")));
        assert_eq!((first.text(), first.header("x-first")), (format!("first {status}"), Some("1")));
        assert_executed(&send(gateway.address, &wanting(status)).await, 201);
    }
}

#[tokio::test]
async fn an_answer_that_leaves_it_open_makes_the_outcome_unknown() {
    let upstream = naming_its_first_status().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for status in [460, 502, 503, 504, 520, 522, 524, 525, 526, 527, 528, 529, 530, 598, 599] {
        let first = send(gateway.address, &wanting(status)).await;
        assert_eq!((first.status, said(&first)), (status, Some("unknown")));
        assert_problem(&send(gateway.address, &wanting(status)).await, 409, "outcome-unknown");
    }
    assert_eq!(upstream.total(), 0);
}

/// A gateway behind this one, or a layer in the upstream, that says in our words that it does not know.
#[tokio::test]
async fn an_inner_layer_that_does_not_know_is_not_taken_for_an_answer() {
    let upstream = Upstream::start(|arrival| async move {
        let name = arrival.seen.path.trim_start_matches('/').to_owned();
        let document = json!({ "type": format!("urn:problem-type:onlyonce:{name}"), "status": 409 });
        Answer::new(409).header("content-type", "application/problem+json").body(document.to_string())
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for (name, means) in
        [("in-progress", "unknown"), ("outcome-unknown", "unknown"), ("result-expired", "executed")]
    {
        let request = Request::post(format!("/{name}")).key(name);
        assert_eq!(said(&send(gateway.address, &request).await), Some(means), "{name}");
        let repeat = send(gateway.address, &request).await;
        assert_eq!(repeat.status, 409);
        assert_eq!(said(&repeat), Some(if means == "executed" { "replayed" } else { "unknown" }), "{name}");
    }
}

/// The handler knows better than its status, and the client does not see that it was asked.
#[tokio::test]
async fn the_handlers_word_overrules_its_status_and_does_not_reach_the_client() {
    let upstream = Upstream::start(|arrival| async move {
        let word = arrival.seen.path.trim_start_matches('/').to_owned();
        let (word, status) = word.split_once('/').expect("a path of word and status");
        arrival.execute();
        Answer::new(status.parse().expect("a status")).header("idempotency-outcome", word).body("x")
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for (path, first, again, executions) in [
        ("/keep/403", "executed", "replayed", 1),
        ("/keep/503", "executed", "replayed", 1),
        ("/release/200", "released", "released", 2),
        ("/release/500", "released", "released", 2),
        ("/unknown/200", "unknown", "unknown", 1),
        ("/whatever/200", "executed", "replayed", 1),
        ("/whatever/403", "released", "released", 2),
    ] {
        let request = Request::post(path).key(path);
        for said_then in [first, again] {
            let answer = send(gateway.address, &request).await;
            assert_eq!(said(&answer), Some(said_then), "{path}");
            assert!(!answer.headers.contains("idempotency-outcome"), "{path}");
        }
        assert_eq!(upstream.executions(path), executions, "{path}");
    }
}

/// The first caller of an answer that is cut short after its result was given up must not take it for whole.
#[tokio::test]
async fn a_large_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let head = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n";
    let writes =
        vec![Piece::Bytes(head.into()), Piece::Body(4096, Coding::Length), Piece::Bytes(b"\r\n".into())];
    let plan = Plan { reads: Reads::Whole, writes, end: End::Close(Close::Fin) };
    let upstream = Hostile::start(Behaviour::Planned(plan)).await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("answer_limit = \"1KiB\"")).await;
    let broken = onlyonce_testbed::client::send(gateway.address, &transfer("k")).await;
    assert!(broken.is_err(), "{broken:?}");
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_problem(&repeat, 409, "result-unavailable");
    assert_eq!(upstream.executions("k"), 1);
}
