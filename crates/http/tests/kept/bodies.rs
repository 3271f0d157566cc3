//! The body of a keyed request: how large, and how long it may take.

use std::time::Duration;

use http::Response;
use onlyonce_core::{LedgerKey, parameters::Redaction};
use onlyonce_http::Rules;

use crate::scene::{Scene, Setting, fed, problem, request, said, settled, whole};

async fn scene(rules: impl FnOnce(&mut Rules)) -> Scene {
    Scene::new(Setting::default(), rules, |_| async { Response::new(whole("done")) }).await
}

/// The bounds of the contract that a route sets.
#[test]
fn the_bounds_are_the_contracts() {
    let rules = Rules::new("POST /transfers", Redaction::new(&LedgerKey::new([0; 32]), &[]));
    assert_eq!((rules.request_limit, rules.request_time), (1 << 20, Duration::from_secs(30)));
    assert_eq!(rules.answer_limit, 8 << 20);
    assert_eq!(rules.listening(), rules.policy.deadline, "where nobody says how long the upstream may work");
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_its_limit_is_refused_and_nothing_is_recorded() {
    let scene = scene(|rules| rules.request_limit = 10).await;
    let (feed, body) = fed();
    feed.send("1234567890");
    let refused = scene.begin(request("k", body));
    settled().await;
    assert!(!refused.is_finished(), "the limit itself is taken");
    feed.send("1");
    let refused = refused.await.unwrap();
    assert_eq!(refused.headers()["connection"], "close");
    problem(refused, 413, "request-too-large").await;
    assert!(scene.state("k").await.is_none() && scene.seen().is_empty());
    assert_eq!(said(&scene.send(request("k", whole("1234567890"))).await), Some("executed"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_longer_than_its_time_is_refused_and_nothing_is_recorded() {
    let scene = scene(|_| {}).await;
    let (feed, body) = fed();
    let begun = tokio::time::Instant::now();
    let refused = scene.begin(request("k", body));
    for _ in 0..29 {
        feed.send("x");
        // bounded: on a paused clock, a second less than the bound in all
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!refused.is_finished(), "slow is not too slow");
    problem(refused.await.unwrap(), 408, "request-incomplete").await;
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert!(scene.state("k").await.is_none() && scene.seen().is_empty());
}
