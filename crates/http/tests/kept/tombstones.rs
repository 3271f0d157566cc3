//! Answers that are not kept whole: durable before they stream, and broken off where they break off.

use std::sync::Mutex;

use http::Response;
use onlyonce_core::{State, record::StateName};
use onlyonce_http::Rules;

use crate::scene::{Fed, Scene, Setting, body, fed, next, problem, said, settled, transfer, whole};

fn four_bytes(rules: &mut Rules) {
    rules.answer_limit = 4;
}

fn created(content_type: &str, body: Fed) -> Response<Fed> {
    Response::builder().status(201).header("content-type", content_type).body(body).unwrap()
}

/// A handler that gives this answer, once.
async fn answering(rules: impl FnOnce(&mut Rules), answer: Response<Fed>) -> Scene {
    let answer = Mutex::new(Some(answer));
    Scene::new(Setting::default(), rules, move |_| {
        let answer = answer.lock().unwrap().take().expect("it is asked once");
        async move { answer }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_tombstone_is_durable_before_a_byte_of_what_crosses_the_limit_goes_out() {
    let (feed, answer) = fed();
    let scene = answering(four_bytes, created("text/plain", answer)).await;
    let gate = scene.store.hold(StateName::Tombstone);
    let first = scene.begin(transfer("k"));
    feed.send("1234");
    settled().await;
    assert!(matches!(scene.state("k").await, Some(State::InProgress { .. })), "the limit itself is kept");
    feed.send("5");
    scene.store.held().await;
    settled().await;
    assert!(!first.is_finished(), "nothing goes out before the tombstone is durable");
    gate.close();
    let mut first = first.await.unwrap();
    assert!(matches!(scene.state("k").await, Some(State::Tombstone { status: Some(201), .. })));
    assert_eq!((next(&mut first).await.unwrap().unwrap(), said(&first)), ("1234".into(), Some("executed")));
    assert_eq!(next(&mut first).await.unwrap().unwrap(), "5");
    feed.send("the rest");
    assert_eq!(next(&mut first).await.unwrap().unwrap(), "the rest");
    problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
    feed.break_off();
    assert!(next(&mut first).await.unwrap().is_err(), "never ended well");
}

/// A stream of events has no end to wait for: its first event would come when the deadline had made it unknown.
#[tokio::test(start_paused = true)]
async fn a_stream_of_events_leaves_a_tombstone_at_its_head_and_streams() {
    let (feed, answer) = fed();
    let scene = answering(|_| {}, created("Text/Event-Stream; charset=utf-8", answer)).await;
    let gate = scene.store.hold(StateName::Tombstone);
    let first = scene.begin(transfer("k"));
    scene.store.held().await;
    settled().await;
    assert!(!first.is_finished());
    gate.close();
    let mut first = first.await.unwrap();
    assert_eq!((said(&first), first.headers().get("idempotency-expires")), (Some("executed"), None));
    assert!(matches!(scene.state("k").await, Some(State::Tombstone { status: Some(201), .. })));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        feed.send(event);
        assert_eq!(next(&mut first).await.unwrap().unwrap(), event);
    }
    // bounded: on a paused clock, beyond every deadline
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    feed.send("data: 3\n\n");
    assert_eq!(next(&mut first).await.unwrap().unwrap(), "data: 3\n\n");
    feed.break_off();
    assert!(next(&mut first).await.unwrap().is_err(), "never ended well");
    problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_body_the_status_and_location_are_kept() {
    let mut answer = created("text/plain", whole("12345"));
    answer.headers_mut().insert("location", "/transfers/1".parse().unwrap());
    answer.headers_mut().insert("etag", "\"1\"".parse().unwrap());
    let rules = |rules: &mut Rules| {
        rules.store_body = false;
    };
    let scene = answering(rules, answer).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!((said(&first), first.headers()["etag"].to_str().unwrap()), (Some("executed"), "\"1\""));
    assert_eq!(body(first).await, "12345");
    let repeat = scene.send(transfer("k")).await;
    assert_eq!((repeat.status().as_u16(), said(&repeat)), (201, Some("replayed")));
    assert_eq!(repeat.headers()["location"], "/transfers/1");
    for name in ["content-type", "etag", "content-length"] {
        assert!(!repeat.headers().contains_key(name), "{name} speaks of a body that is not there");
    }
    assert_eq!(body(repeat).await, "");
}

/// The rest may yet break off, and a repeat must not take it for whole.
#[tokio::test(start_paused = true)]
async fn without_a_body_too_an_answer_that_streams_on_leaves_a_tombstone() {
    for media in ["text/plain", "text/event-stream"] {
        let (feed, streamed) = fed();
        feed.send("12345");
        let rules = |rules: &mut Rules| {
            rules.store_body = false;
            rules.answer_limit = 4;
        };
        let scene = answering(rules, created(media, streamed)).await;
        let mut first = scene.send(transfer("k")).await;
        assert_eq!(said(&first), Some("executed"));
        assert_eq!(next(&mut first).await.unwrap().unwrap(), "12345");
        feed.break_off();
        assert!(next(&mut first).await.unwrap().is_err(), "{media}");
        problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_inner_layer_does_not_know_is_heard_however_little_is_kept() {
    let document = r#"{"type":"urn:problem-type:onlyonce:in-progress"}"#;
    let mut answer = created("application/problem+json", whole(document));
    *answer.status_mut() = http::StatusCode::CONFLICT;
    let scene = answering(four_bytes, answer).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!(said(&first), Some("unknown"));
    assert_eq!(body(first).await, document);
}

/// Another problem is an answer like any other: too large to keep is too large to keep.
#[tokio::test(start_paused = true)]
async fn a_problem_larger_than_what_is_kept_leaves_a_tombstone() {
    let scene = answering(four_bytes, created("application/problem+json", whole("{\"a\":1}"))).await;
    assert_eq!(body(scene.send(transfer("k")).await).await, "{\"a\":1}");
    problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
}
