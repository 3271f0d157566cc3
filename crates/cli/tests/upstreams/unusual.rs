//! Answers that are odd and whole: they are the outcome.

use std::time::Duration;

use onlyonce_testbed::{
    Close, Headers,
    client::Request,
    hostile::{BODY, Behaviour, End, Hostile, Idle, Piece, Plan, Reads},
};

use crate::{
    gateway::Setup,
    outcome::{Scene, answers},
    transfer::{assert_executed, assert_problem, assert_replays, said},
};

/// More than the sockets between gateway and upstream take while the upstream does not read.
const LARGE_REQUEST: usize = 32 << 20;

fn large(key: &str) -> Request {
    Request::post("/imports").key(key).body(vec![b'x'; LARGE_REQUEST])
}

#[tokio::test]
async fn a_whole_answer_before_the_end_of_the_request_is_the_outcome() {
    let setup = Setup::anonymous().defaults("request_limit = \"64MiB\"");
    let scene = Scene::with(Behaviour::AnswersEarly, setup).await;
    for n in 1..=2 {
        let request = large(&format!("k-{n}"));
        let first = scene.send(&request).await;
        assert_executed(&first, 201);
        assert_eq!(first.body, BODY);
        assert_replays(&scene.send(&request).await, &first);
        assert_eq!((scene.hostile.heads(), scene.hostile.connections()), (n, n));
    }
}

/// The reset may destroy the answer on its way. Then nobody knows; else it is the outcome.
#[tokio::test]
async fn an_early_answer_that_a_reset_may_have_destroyed_is_the_outcome_or_unknown() {
    let setup = Setup::anonymous().defaults("request_limit = \"64MiB\"");
    let scene = Scene::with(Behaviour::AnswersEarlyAndResets, setup).await;
    for n in 1..=3 {
        let request = large(&format!("k-{n}"));
        let (first, repeat) = (scene.send(&request).await, scene.send(&request).await);
        if said(&first) == Some("executed") {
            assert_replays(&repeat, &first);
        } else {
            assert_problem(&first, 502, "outcome-unknown");
            assert_problem(&repeat, 409, "outcome-unknown");
        }
        assert!(scene.hostile.connections() <= n, "nothing is sent again");
    }
}

/// Streamed on, such an answer must still end well: an upload that was refused early is not a broken answer.
#[tokio::test]
async fn an_early_answer_to_an_unkeyed_upload_arrives_whole() {
    let answer = "HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
    let plan =
        Plan { reads: Reads::Head, writes: vec![Piece::Bytes(answer.into())], end: End::Close(Close::Fin) };
    let scene = Scene::of(Behaviour::Planned(plan)).await;
    let upload = Request::post("/imports").chunked(vec![vec![b'x'; 1 << 20]; 32], Headers::new());
    let refused = scene.send(&upload).await;
    assert_eq!((refused.status, refused.text().as_str()), (413, "no"));
}

#[tokio::test]
async fn an_answer_that_ends_by_closing_is_the_outcome() {
    let scene = Scene::of(Behaviour::EndsByClosing).await;
    assert_eq!(scene.assert_kept("k", 201).await.body, BODY);
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_the_outcome() {
    let scene = Scene::of(Behaviour::AnswersSlowly).await;
    assert_eq!(scene.assert_kept("k", 201).await.body, BODY);
}

#[tokio::test]
async fn an_answer_without_a_body_is_the_outcome() {
    let scene = Scene::of(answers("HTTP/1.1 204 No Content\r\n\r\n", End::Idle(Idle::Quiet))).await;
    assert_eq!(scene.assert_kept("k", 204).await.body, b"");
}

#[tokio::test]
async fn an_answer_with_trailers_is_the_outcome() {
    let scene = Scene::of(Behaviour::SendsTrailers).await;
    assert_eq!(scene.assert_kept("k", 201).await.body, BODY);
}

/// An older server closes after each answer, or says that it does not; in neither case is its connection used again.
#[tokio::test]
async fn an_http_1_0_answer_is_the_outcome() {
    let lasting = "HTTP/1.0 201 Created\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    for (answer, end) in [
        (lasting, End::Idle(Idle::Quiet)),
        ("HTTP/1.0 201 Created\r\nContent-Length: 2\r\n\r\nok", End::Close(Close::Fin)),
        ("HTTP/1.0 201 Created\r\n\r\nok", End::Close(Close::Fin)),
    ] {
        let scene = Scene::of(answers(answer, end)).await;
        for n in 1..=2 {
            assert_eq!(scene.assert_kept(&format!("k-{n}"), 201).await.text(), "ok");
            assert_eq!(scene.hostile.connections(), n);
        }
    }
}

/// Not every server announces that it closes. The answer is whole all the same.
#[tokio::test]
async fn an_upstream_that_closes_or_resets_right_after_a_whole_answer_has_given_the_outcome() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
    let scene = Scene::of(answers(answer, End::Close(Close::Fin))).await;
    for n in 1..=50 {
        assert_eq!(scene.assert_kept(&format!("k-{n}"), 201).await.text(), "ok");
    }
    assert_eq!(scene.hostile.connections(), 50);
}

#[tokio::test]
async fn early_hints_are_no_outcome_and_the_answer_after_them_is() {
    let scene = Scene::of(Behaviour::HintsFirst).await;
    let first = scene.assert_kept("k", 201).await;
    assert_eq!((first.interim.len(), first.body.as_slice()), (0, BODY));

    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    let setup = Setup::anonymous().defaults("deadline = \"300ms\"");
    let scene = Scene::with(answers(hints, End::Hold), setup).await;
    scene.assert_unknown("k", 504).await;

    let scene = Scene::of(answers(hints, End::Close(Close::Fin))).await;
    scene.assert_unknown("k", 502).await;
}

#[tokio::test]
async fn a_switch_of_protocols_is_no_answer() {
    let scene = Scene::of(Behaviour::SwitchesProtocols).await;
    scene.assert_unknown("k", 502).await;
    let record = scene.seen_by_operator(&scene.transfer("k").await).await;
    assert_eq!(record["seen_status"], 101);
    // Asked for with a key, it is not asked for upstream.
    let upgrade = Request::post("/").key("u").header("Connection", "upgrade").header("Upgrade", "other");
    assert_problem(&scene.send(&upgrade).await, 502, "outcome-unknown");
    assert!(scene.hostile.received().iter().all(|request| !request.headers.contains("upgrade")));
}

/// An upstream that says how long it keeps idle connections is taken at its word, whatever is configured.
#[tokio::test]
async fn what_the_upstream_says_of_its_idle_time_is_heeded() {
    for (line, connections) in [("", 1), ("Keep-Alive: timeout=1\r\n", 2)] {
        let answer = format!("HTTP/1.1 201 Created\r\n{line}Content-Length: 2\r\n\r\nok");
        let hostile = Hostile::start(answers(&answer, End::Idle(Idle::Quiet))).await;
        let setup = Setup::anonymous().top("upstream_idle = \"30s\"");
        let gateway = crate::gateway::Gateway::start(&hostile.url(), setup).await;
        let scene = Scene { hostile, gateway };
        assert_executed(&scene.transfer("k-1").await, 201);
        // bounded: idleness itself is what is tested
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_executed(&scene.transfer("k-2").await, 201);
        assert_eq!(scene.hostile.connections(), connections, "{line}");
    }
}
