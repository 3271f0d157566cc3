//! `fail_open`: a request passes unprotected where nothing at all is known of its key, and nowhere else.

use http::{HeaderMap, Response};
use onlyonce_core::record::StateName;
use onlyonce_http::{Rules, rules::ForwardKey};
use onlyonce_ledger::Options;

use crate::scene::{Fed, Scene, Setting, body, problem, request, said, transfer, whole};

fn open(rules: &mut Rules) {
    rules.fail_open = true;
}

async fn paid(_: HeaderMap) -> Response<Fed> {
    Response::builder().status(201).header("idempotency-outcome", "keep").body(whole("paid")).unwrap()
}

async fn scene(rules: impl FnOnce(&mut Rules)) -> Scene {
    Scene::new(Setting::default(), rules, paid).await
}

#[tokio::test(start_paused = true)]
async fn where_the_route_says_so_a_request_passes_while_the_ledger_cannot_be_asked() {
    let scene = scene(open).await;
    scene.store.reachable(false);
    let mut asked = transfer("k");
    asked.headers_mut().insert("idempotency-operation", "op_forged".parse().unwrap());
    let passed = scene.send(asked).await;
    assert_eq!((passed.status().as_u16(), said(&passed)), (201, None));
    for name in ["idempotency-key", "idempotent-replayed", "idempotency-expires", "idempotency-outcome"] {
        assert!(!passed.headers().contains_key(name), "{name}: nothing looks as if the key counted");
    }
    assert_eq!(body(passed).await, "paid");
    let seen = &scene.seen()[0];
    assert_eq!(
        (&seen["idempotency-key"], &seen["content-length"]),
        (&"k".parse().unwrap(), &"2".parse().unwrap())
    );
    assert!(!seen.contains_key("idempotency-operation") && !seen.contains_key("idempotency-attempt"));
    scene.store.reachable(true);
    assert!(scene.state("k").await.is_none(), "nothing was recorded");
    assert_eq!(said(&scene.send(transfer("k")).await), Some("executed"), "protected again");
}

#[tokio::test(start_paused = true)]
async fn where_the_key_is_not_sent_on_it_is_not_sent_on_then_either() {
    for forward in [ForwardKey::Derived, ForwardKey::Off] {
        let scene = scene(|rules| {
            open(rules);
            rules.forward_key = forward;
        })
        .await;
        scene.store.reachable(false);
        assert_eq!(scene.send(transfer("k")).await.status(), 201);
        assert!(!scene.seen()[0].contains_key("idempotency-key"));
    }
}

#[tokio::test(start_paused = true)]
async fn where_it_does_not_say_so_nothing_runs() {
    let scene = scene(|_| {}).await;
    scene.store.reachable(false);
    let refused = scene.send(transfer("k")).await;
    assert_eq!(refused.headers()["idempotency-key"], "k");
    problem(refused, 503, "ledger-unavailable").await;
    assert!(scene.seen().is_empty());
}

/// H30: an attacker fills what is bounded, and *capacity* becomes a pass.
#[tokio::test(start_paused = true)]
async fn a_bound_that_is_reached_never_opens() {
    let setting = Setting { options: Options { attempts: 0, ..Options::default() }, ..Setting::default() };
    let scene = Scene::new(setting, open, paid).await;
    problem(scene.send(transfer("k")).await, 503, "capacity").await;
    let full = Setting { buffering: Some(1), ..Setting::default() };
    let full = Scene::new(full, open, paid).await;
    full.store.reachable(false);
    problem(full.send(transfer("k")).await, 503, "capacity").await;
    // The look-up itself: who may not wait finds nothing while the first claim is on its way.
    let setting = Setting { options: Options { waiters: 0, ..Options::default() }, ..Setting::default() };
    let crowded = Scene::new(setting, open, paid).await;
    let gate = crowded.store.hold(StateName::InProgress);
    let _first = crowded.begin(transfer("k"));
    crate::scene::settled().await;
    problem(crowded.send(transfer("k")).await, 503, "capacity").await;
    // The store's own: all of its connections are lent.
    let busy = self::scene(open).await;
    busy.store.busy(true);
    problem(busy.send(transfer("k")).await, 503, "capacity").await;
    busy.store.busy(false);
    let nothing_passed = [&scene, &full, &crowded, &busy].iter().all(|scene| scene.seen().is_empty());
    assert!(nothing_passed);
    gate.close();
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_never_opens() {
    let scene = scene(open).await;
    assert_eq!(said(&scene.send(transfer("k")).await), Some("executed"));
    problem(scene.send(request("k", whole("{\"amount\":1}"))).await, 422, "key-reused").await;
    assert_eq!(scene.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_fate_is_unknown_never_opens() {
    let scene = scene(open).await;
    let gate = scene.store.hold(StateName::InProgress);
    problem(scene.send(transfer("k")).await, 503, "ledger-unavailable").await;
    scene.store.reachable(false);
    problem(scene.send(transfer("k")).await, 503, "ledger-unavailable").await;
    assert!(scene.seen().is_empty());
    gate.close();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_runs_never_opens_to_its_repeat() {
    let scene = Scene::new(Setting::default(), open, |_| std::future::pending()).await;
    let _first = scene.begin(transfer("k"));
    crate::scene::settled().await;
    scene.store.reachable(false);
    problem(scene.send(transfer("k")).await, 409, "in-progress").await;
    assert_eq!(scene.seen().len(), 1);
}
