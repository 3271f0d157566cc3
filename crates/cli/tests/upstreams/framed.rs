//! Upstreams that lose count of where an answer ends. What they say next would be the next caller's answer.

use onlyonce_testbed::{
    client::Request,
    hostile::{Act, BODY, Behaviour, End, Idle, Piece, Plan, Reads},
};

use crate::{
    gateway::Setup,
    outcome::{Scene, answers},
    transfer::{assert_executed, assert_problem, said},
};

const SECRET: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";

/// Not trusted, not stored, and its connection is not used again.
async fn assert_distrusted(answer: &str) {
    let scene = Scene::of(answers(answer, End::Idle(Idle::Quiet))).await;
    for (n, key) in ["k-1", "k-2", "k-3"].into_iter().enumerate() {
        scene.assert_unknown(key, 502).await;
        assert_eq!((scene.hostile.executions(key), scene.hostile.connections()), (1, n + 1), "{answer}");
    }
}

#[tokio::test]
async fn bytes_after_an_answer_make_it_unknown_and_nobody_else_gets_them() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
    assert_distrusted(&format!("{answer}surplus")).await;
    assert_distrusted(&format!("{answer}{SECRET}")).await;
    assert_distrusted(&format!("{answer}\r\n")).await;
    let chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_distrusted(&format!("{chunked}{SECRET}")).await;
}

#[tokio::test]
async fn bytes_after_an_answer_make_it_unknown_where_the_connection_was_to_end_anyway() {
    assert_distrusted("HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nokay").await;
}

#[tokio::test]
async fn a_body_where_there_can_be_none_makes_the_answer_unknown() {
    assert_distrusted("HTTP/1.1 204 No Content\r\n\r\nok").await;
    assert_distrusted("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok").await;
    assert_distrusted("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        .await;
    assert_distrusted("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok").await;
}

#[tokio::test]
async fn an_answer_with_two_opinions_on_its_length_is_unknown() {
    let framed = |lines: &str| format!("HTTP/1.1 201 Created\r\n{lines}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    assert_distrusted(&framed("Content-Length: 12\r\nTransfer-Encoding: chunked")).await;
    assert_distrusted(&framed("Content-Length: 12\r\nContent-Length: 2")).await;
    assert_distrusted(&framed("Content-Length: 12\r\nContent-Length: 12")).await;
    assert_distrusted(&framed("Content-Length: 12, 12")).await;
    assert_distrusted(&framed("Content-Length: +12")).await;
    let scene = Scene::of(Behaviour::FramesTwice).await;
    scene.assert_unknown("k", 502).await;
}

/// We ask for no coding, and to take one off silently would store bytes that nobody can read.
#[tokio::test]
async fn an_answer_in_a_transfer_coding_that_nobody_asked_for_is_unknown() {
    let head = "HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    assert_distrusted(&format!("{head}2\r\nok\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn a_second_answer_on_an_idle_connection_is_nobodys() {
    let writes = vec![Piece::Bytes(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok".to_vec())];
    let end = End::Idle(Idle::OnCue(Act::Speak(SECRET.into())));
    let scene = Scene::of(Behaviour::Planned(Plan { reads: Reads::Whole, writes, end })).await;
    for n in 1..=3 {
        let answer = scene.assert_kept(&format!("k-{n}"), 201).await;
        assert_eq!((answer.text().as_str(), scene.hostile.connections()), ("ok", n));
        scene.hostile.cue().await;
    }
}

#[tokio::test]
async fn a_second_answer_on_an_idle_connection_is_nobodys_without_a_key_either() {
    let scene = Scene::of(Behaviour::SpeaksWhileIdle).await;
    for n in 1..=3 {
        let answer = scene.send(&Request::get("/")).await;
        assert_eq!((answer.status, answer.body.as_slice(), scene.hostile.connections()), (201, BODY, n));
        scene.hostile.cue().await;
    }
}

/// The control: without surplus the connection is used again, so the counts above mean something.
#[tokio::test]
async fn an_answer_with_one_end_is_trusted_and_its_connection_used_again() {
    let chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for answer in
        ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", chunked]
    {
        let setup = Setup::anonymous().top("upstream_idle = \"30s\"");
        let scene = Scene::with(answers(answer, End::Idle(Idle::Quiet)), setup).await;
        for key in ["k-1", "k-2", "k-3"] {
            let first = scene.transfer(key).await;
            assert_executed(&first, first.status);
            assert_eq!(said(&scene.transfer(key).await), Some("replayed"));
        }
        assert_eq!((scene.hostile.connections(), scene.hostile.bodies()), (1, 3), "{answer}");
    }
}

/// A gateway that took the surplus for the next answer would hand one customer's result to another, for a day.
#[tokio::test]
async fn surplus_of_an_unkeyed_answer_never_becomes_a_keyed_result() {
    let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok{SECRET}");
    let scene = Scene::of(answers(&answer, End::Idle(Idle::Quiet))).await;
    for n in 1..=5 {
        let passed = scene.send(&Request::get("/")).await;
        assert_eq!(passed.text(), "ok");
        let keyed = scene.transfer(&format!("k-{n}")).await;
        assert_problem(&keyed, 502, "outcome-unknown");
    }
}
