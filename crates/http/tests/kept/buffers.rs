//! The bytes that all requests have buffered, at their bound.

use bytes::Bytes;
use http::Response;
use onlyonce_core::State;
use onlyonce_http::Rules;

use crate::scene::{Fed, Scene, Setting, body, fed, problem, request, said, settled, transfer, whole};

/// A scene in which so many bytes may be buffered, and whose handler answers with so many.
async fn buffering(bytes: usize, answer: usize) -> Scene {
    let setting = Setting { buffering: Some(bytes), ..Setting::default() };
    Scene::new(setting, |_: &mut Rules| {}, move |_| async move { answered(answer) }).await
}

fn answered(bytes: usize) -> Response<Fed> {
    Response::builder().status(201).body(whole(vec![b'a'; bytes])).unwrap()
}

/// A request whose body has come so far, and goes on.
fn uploading(key: &str, bytes: usize) -> (crate::scene::Feed, http::Request<Fed>) {
    let (feed, body) = fed();
    feed.send(vec![b'b'; bytes]);
    (feed, request(key, body))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_no_room_is_refused_before_anything_is_done() {
    let scene = buffering(100, 2).await;
    let (feed, slow) = uploading("slow", 60);
    let slow = scene.begin(slow);
    settled().await;
    assert_eq!(scene.shared.buffered(), 60, "what has come counts, not what may come");
    let refused = scene.send(request("k", whole(vec![b'x'; 41]))).await;
    assert_eq!(refused.headers()["connection"], "close");
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds));
    problem(refused, 503, "capacity").await;
    assert!(scene.state("k").await.is_none() && scene.seen().is_empty());
    assert_eq!(scene.shared.buffered(), 60, "who is refused leaves nothing behind");
    assert_eq!(said(&scene.send(request("k", whole(vec![b'x'; 40]))).await), Some("executed"));
    drop(feed);
    assert_eq!(said(&slow.await.unwrap()), Some("executed"));
    settled().await;
    assert_eq!(scene.shared.buffered(), 0);
}

/// Ten thousand waiters, each with a megabyte. Who waits needs its body, to take over; who does not fit cannot wait.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_finds_no_room_is_told_at_once_that_the_first_is_at_work() {
    let setting = Setting { buffering: Some(70), ..Setting::default() };
    let (finish, finished) = tokio::sync::watch::channel(false);
    let scene = Scene::new(
        setting,
        |_| {},
        move |_| {
            let mut finished = finished.clone();
            async move {
                let _ = finished.wait_for(|finished| *finished).await;
                answered(2)
            }
        },
    );
    let scene = scene.await;
    let first = scene.begin(request("k", whole(vec![b'x'; 40])));
    settled().await;
    let waits = scene.begin(request("k", whole(vec![b'x'; 40])));
    settled().await;
    assert_eq!(
        (scene.shared.ledger().waiters(), scene.shared.buffered()),
        (1, 40),
        "the handler read the first's"
    );
    let before = tokio::time::Instant::now();
    let refused = scene.send(request("k", whole(vec![b'x'; 40]))).await;
    assert_eq!(before.elapsed(), std::time::Duration::ZERO, "at once");
    assert_eq!(refused.headers()["retry-after"], "1");
    let document = problem(refused, 409, "in-progress").await;
    assert_eq!((&document["state"], &document["next"]), (&"in-progress".into(), &"same-key".into()));
    assert!(document["operation_ref"].as_str().unwrap().starts_with("op_"));
    finish.send_replace(true);
    assert_eq!(said(&first.await.unwrap()), Some("executed"));
    assert_eq!(said(&waits.await.unwrap()), Some("replayed"));
    assert_eq!(scene.seen().len(), 1);
}

/// It is never lost: the first caller gets all of it, and repeats are told that there was one.
#[tokio::test(start_paused = true)]
async fn an_answer_that_finds_no_room_streams_and_leaves_a_tombstone() {
    let scene = buffering(100, 101).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!(said(&first), Some("executed"));
    assert!(matches!(scene.state("k").await, Some(State::Tombstone { status: Some(201), .. })));
    assert_eq!(body(first).await, Bytes::from(vec![b'a'; 101]));
    problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
    settled().await;
    assert_eq!(scene.shared.buffered(), 0);
}

/// Clients that read slowly hold what they have not read.
#[tokio::test(start_paused = true)]
async fn results_count_until_they_are_read_and_a_replay_that_finds_no_room_is_refused() {
    let scene = buffering(150, 90).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!(said(&first), Some("executed"));
    settled().await;
    assert_eq!(scene.shared.buffered(), 90);
    problem(scene.send(transfer("k")).await, 503, "capacity").await;
    drop(first);
    let replay = scene.send(transfer("k")).await;
    assert_eq!(said(&replay), Some("replayed"));
    assert!(scene.shared.buffered() >= 90);
    assert_eq!(body(replay).await.len(), 90);
    assert_eq!((scene.shared.buffered(), scene.seen().len()), (0, 1));
}
