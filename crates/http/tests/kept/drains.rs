//! A process that stops while a claim is being written, and its client has gone.

use std::{sync::Arc, time::Duration};

use http::Response;
use onlyonce_core::{State, record::StateName};
use onlyonce_http::Drained;
use tokio::task::JoinHandle;

use crate::scene::{Scene, Setting, said, settled, transfer, whole};

async fn scene() -> Scene {
    Scene::new(Setting::default(), |_| {}, |_| async { Response::new(whole("paid")) }).await
}

/// A drain that has nothing else to wait for.
fn drain(scene: &Scene) -> JoinHandle<Drained> {
    let shared = Arc::clone(&scene.shared);
    tokio::spawn(async move { shared.drain(Duration::from_secs(600), || false).await })
}

/// It returned, the process ended, and the claim that landed after all was unknown to the next one.
#[tokio::test]
async fn a_drain_awaits_a_claim_whose_client_has_gone() {
    let scene = scene().await;
    let gate = scene.store.hold(StateName::InProgress);
    let client = scene.begin(transfer("k"));
    scene.store.held().await;
    client.abort();
    settled().await;
    let drain = drain(&scene);
    settled().await;
    assert!(!drain.is_finished(), "what is claimed is not known to be over");
    gate.close();
    assert_eq!(drain.await.unwrap(), Drained::default());
    assert!(matches!(scene.state("k").await, Some(State::Completed { .. })));
    assert_eq!(said(&scene.send(transfer("k")).await), Some("replayed"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_awaits_that_a_claim_in_doubt_is_taken_back() {
    let scene = scene().await;
    let gate = scene.store.hold(StateName::InProgress);
    // Its claim is not acknowledged within the ledger's time.
    assert_eq!(scene.send(transfer("k")).await.status(), 503);
    let drain = drain(&scene);
    settled().await;
    assert!(!drain.is_finished(), "the claim may land yet");
    gate.close();
    assert_eq!(drain.await.unwrap(), Drained::default());
    assert!(matches!(scene.state("k").await, Some(State::Released { .. })));
    assert_eq!(scene.seen().len(), 0);
}
