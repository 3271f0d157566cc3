//! Handlers that outlive their clients, and a process that ends.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post as on_post};
use onlyonce::Onlyonce;
use tokio::sync::Notify;

use crate::send::{Effects, post, send};

struct Slow {
    once: Onlyonce,
    app: Router,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    effects: Effects,
}

impl Slow {
    /// A handler that begins, and goes on when it is told to.
    async fn start() -> Self {
        let once = Onlyonce::testing().await;
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let effects = Effects::default();
        let handler = {
            let (begun, go_on, effects) = (Arc::clone(&begun), Arc::clone(&go_on), effects.clone());
            async move || {
                begun.notify_one();
                go_on.notified().await;
                effects.add().to_string()
            }
        };
        let layer = once.layer().require_key().anonymous();
        let app = Router::new().route("/t", on_post(handler)).route_layer(layer);
        Self { once, app, begun, go_on, effects }
    }

    /// Its client sends the request, and hangs up when the handler has begun.
    async fn hang_up(&self) {
        tokio::select! {
            answer = send(&self.app, post("/t", "k")) => panic!("{answer:?}"),
            () = self.begun.notified() => {}
        }
    }
}

/// B10: axum's graceful shutdown knows connections, and returned while a handler whose client had gone was at work.
#[tokio::test]
async fn a_drain_awaits_the_handlers_whose_clients_have_gone() {
    let slow = Slow::start().await;
    slow.hang_up().await;
    let drain = tokio::spawn({
        let once = slow.once.clone();
        async move { once.drain(Duration::from_secs(60)).await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!drain.is_finished(), "it waits for the handler");
    slow.go_on.notify_one();
    assert_eq!(drain.await.unwrap().cut_off, 0);
    assert_eq!(slow.effects.count(), 1);
    let repeat = send(&slow.app, post("/t", "k")).await;
    assert_eq!((repeat.text.as_str(), repeat.header("idempotency-status")), ("1", "replayed"));
}

#[tokio::test(start_paused = true)]
async fn what_runs_beyond_the_limit_is_unknown_and_counted() {
    let slow = Slow::start().await;
    slow.hang_up().await;
    assert_eq!(slow.once.drain(Duration::from_secs(1)).await.cut_off, 1);
    assert_eq!(slow.once.ledger().unknowns(), [("POST /t".to_owned(), 1)]);
    // Nothing begins any more.
    let late = send(&slow.app, post("/t", "another")).await;
    assert_eq!(late.status, http::StatusCode::SERVICE_UNAVAILABLE);
}
