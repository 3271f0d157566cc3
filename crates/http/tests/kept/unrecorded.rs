//! An outcome is recorded before its answer goes out; where it cannot be, the answer says so, and the write is tried on.

use http::Response;
use onlyonce_core::{State, record::StateName};

use crate::scene::{Scene, Setting, body, problem, said, settled, transfer, whole};

#[tokio::test(start_paused = true)]
async fn whatever_the_outcome_is_it_is_durable_before_its_answer_goes_out() {
    for (status, state, word) in [
        (201, StateName::Completed, "executed"),
        (429, StateName::Released, "released"),
        (504, StateName::Unknown, "unknown"),
    ] {
        let answer = move |_| async move { Response::builder().status(status).body(whole("x")).unwrap() };
        let scene = Scene::new(Setting::default(), |_| {}, answer).await;
        let gate = scene.store.hold(state);
        let first = scene.begin(transfer("k"));
        scene.store.held().await;
        settled().await;
        assert!(!first.is_finished(), "{status}");
        assert!(matches!(scene.state("k").await, Some(State::InProgress { .. })), "{status}");
        gate.close();
        assert_eq!(said(&first.await.unwrap()), Some(word), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_goes_out_as_unstored_and_is_replayed_once_it_is_on_record() {
    let scene = Scene::new(Setting::default(), |_| {}, |_| async { Response::new(whole("paid")) }).await;
    scene.store.refuse(Some(StateName::Completed));
    let first = scene.send(transfer("k")).await;
    assert_eq!((first.status().as_u16(), said(&first)), (200, Some("unstored")));
    assert_eq!(first.headers().get("idempotency-expires"), None, "nothing is kept yet");
    assert_eq!(body(first).await, "paid");
    problem(scene.send(transfer("k")).await, 409, "in-progress").await;
    scene.store.refuse(None);
    while !matches!(scene.state("k").await, Some(State::Completed { .. })) {
        // bounded: on a paused clock, by the pauses between two tries
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        settled().await;
    }
    let repeat = scene.send(transfer("k")).await;
    assert_eq!((said(&repeat), scene.seen().len()), (Some("replayed"), 1));
    assert_eq!(body(repeat).await, "paid");
}
