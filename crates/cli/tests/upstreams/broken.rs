//! The request went out and no whole answer came back: nobody knows, and nothing is sent again.

use onlyonce_testbed::{
    Close,
    client::Request,
    hostile::{Behaviour, End},
};

use crate::{
    gateway::Setup,
    outcome::{Scene, answers},
};

/// An answer that breaks off is unknown; the status that was seen is remembered for whoever settles it.
async fn assert_lost(behaviour: Behaviour, seen_status: Option<u16>) {
    let scene = Scene::of(behaviour).await;
    scene.assert_unknown("k", 502).await;
    assert_eq!(scene.hostile.executions("k"), 1);
    let record = scene.seen_by_operator(&scene.transfer("k").await).await;
    assert_eq!((&record["state"], &record["cause"]), (&"unknown".into(), &"answer-lost".into()));
    assert_eq!(record["seen_status"], seen_status.map_or(serde_json::Value::Null, Into::into));
}

#[tokio::test]
async fn an_upstream_that_hangs_is_unknown_at_the_deadline() {
    for behaviour in [Behaviour::Hangs, Behaviour::HangsUnread] {
        let setup = Setup::anonymous().defaults("deadline = \"300ms\"");
        let scene = Scene::with(behaviour, setup).await;
        scene.assert_unknown("k", 504).await;
        let record = scene.seen_by_operator(&scene.transfer("k").await).await;
        assert_eq!(record["cause"], "deadline");
        assert_eq!(scene.hostile.connections(), 1);
    }
}

#[tokio::test]
async fn a_reset_after_the_request_is_unknown() {
    assert_lost(Behaviour::ResetsUnanswered, None).await;
}

#[tokio::test]
async fn an_end_after_the_request_is_unknown() {
    assert_lost(Behaviour::ClosesUnanswered, None).await;
}

#[tokio::test]
async fn a_reset_in_the_head_of_the_answer_is_unknown() {
    assert_lost(Behaviour::ResetsMidHead, None).await;
}

#[tokio::test]
async fn an_end_in_the_head_of_the_answer_is_unknown() {
    assert_lost(Behaviour::ClosesMidHead, None).await;
}

#[tokio::test]
async fn an_end_in_the_body_of_the_answer_is_unknown_and_its_status_is_remembered() {
    assert_lost(Behaviour::ClosesMidBody, Some(201)).await;
}

#[tokio::test]
async fn an_end_between_two_chunks_of_the_answer_is_unknown_and_its_status_is_remembered() {
    assert_lost(Behaviour::ClosesMidChunks, Some(201)).await;
}

/// A reset may overtake what was written before it, so that the head may or may not have been seen.
#[tokio::test]
async fn a_reset_in_the_body_of_the_answer_is_unknown() {
    let scene = Scene::of(Behaviour::ResetsMidBody).await;
    scene.assert_unknown("k", 502).await;
    let record = scene.seen_by_operator(&scene.transfer("k").await).await;
    assert!(record["seen_status"].is_null() || record["seen_status"] == 201, "{record:#}");
}

#[tokio::test]
async fn a_reset_where_only_the_end_marks_the_end_of_the_answer_is_unknown() {
    let unframed = "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\nsome of it";
    let scene = Scene::of(answers(unframed, End::Close(Close::Reset))).await;
    scene.assert_unknown("k", 502).await;
}

#[tokio::test]
async fn garbage_is_unknown() {
    assert_lost(Behaviour::AnswersGarbage, None).await;
    let smtp = answers("220 mail.example ESMTP\r\n", End::Close(Close::Fin));
    assert_lost(smtp, None).await;
}

#[tokio::test]
async fn an_answer_with_a_head_beyond_all_bounds_is_unknown() {
    let lines = |n| (0..n).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let many = format!("HTTP/1.1 201 Created\r\n{}Content-Length: 0\r\n\r\n", lines(1_000));
    assert_lost(answers(&many, End::Hold), None).await;
    let long = format!("HTTP/1.1 201 Created\r\nX: {}\r\n", "y".repeat(1 << 20));
    assert_lost(answers(&long, End::Hold), None).await;
}

#[tokio::test]
async fn a_broken_answer_to_an_unkeyed_request_is_told_without_a_word_about_keys() {
    let scene = Scene::of(Behaviour::ResetsUnanswered).await;
    let request = Request::post("/transfers").body("x");
    let answer = scene.send(&request).await;
    assert_eq!((answer.status, answer.header("content-type")), (502, Some("application/problem+json")));
    assert!(!answer.headers.contains("idempotency-status"));
    assert!(!answer.text().to_lowercase().contains("idempotency"), "{}", answer.text());
    assert_eq!(scene.hostile.bodies(), 1, "it is not sent again either");
}
