//! Which rules a request falls under, and by which name operators see it.

use std::time::Duration;

use axum::{Router, body::Body, middleware, routing::post as on_post};
use http::{Request, StatusCode};
use onlyonce::{Onlyonce, Operation, Principal};

use crate::send::{Effects, post, send};

/// One per route, so that the name of each is seen.
async fn doubtful(op: Operation) -> onlyonce::Problem {
    op.unknown("for a test")
}

#[tokio::test]
async fn operators_see_the_route_and_no_single_path() {
    let once = Onlyonce::testing().await;
    let app = Router::new()
        .route("/orders/{id}/refunds", on_post(doubtful))
        .route_layer(once.layer().require_key().anonymous())
        .route("/named", on_post(doubtful).layer(once.layer().name("money out").require_key().anonymous()))
        .fallback(doubtful)
        .layer(once.layer().anonymous());
    for (path, key) in [("/orders/7/refunds", "a"), ("/orders/8/refunds", "b"), ("/named", "c"), ("/no", "d")]
    {
        assert_eq!(send(&app, post(path, key)).await.problem(), "outcome-unknown", "{path}");
    }
    let mut names = once.ledger().unknowns();
    names.sort();
    // A layer further out sees a request first; both know the route by the same name.
    let expected = [("*", 1), ("POST /named", 1), ("POST /orders/{id}/refunds", 2)];
    assert_eq!(names, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[tokio::test]
async fn a_name_that_is_given_stands() {
    let once = Onlyonce::testing().await;
    let layer = once.layer().name("money out").require_key().anonymous();
    let app = Router::new().route("/named/{id}", on_post(doubtful)).route_layer(layer);
    send(&app, post("/named/1", "a")).await;
    assert_eq!(once.ledger().unknowns(), [("money out".to_owned(), 1)]);
}

#[tokio::test]
async fn layers_with_different_rules_stand_on_one_ledger() {
    let once = Onlyonce::testing().await;
    let effects = Effects::default();
    let handler = |effects: Effects| on_post(async move || effects.add().to_string());
    let app = Router::new()
        .route("/must", handler(effects.clone()).layer(once.layer().require_key().anonymous()))
        .route("/may", handler(effects.clone()).layer(once.layer().anonymous()))
        .route("/small", handler(effects.clone()).layer(once.layer().request_limit(3).anonymous()));
    let unkeyed = |path: &str| Request::post(path).body(Body::empty()).unwrap();
    assert_eq!(send(&app, unkeyed("/must")).await.problem(), "key-missing");
    assert_eq!(send(&app, unkeyed("/may")).await.status, StatusCode::OK);
    assert_eq!(send(&app, post("/small", "k")).await.problem(), "request-too-large");
    assert_eq!(send(&app, post("/may", "k")).await.text, "2");
    // One ledger: the key stands for the request that had it first.
    assert_eq!(send(&app, post("/must", "k")).await.problem(), "key-reused");
    assert_eq!(effects.count(), 2);
}

#[derive(Clone)]
struct User(u64);

#[tokio::test]
async fn another_principals_key_is_another_operation() {
    let once = Onlyonce::testing().await;
    let effects = Effects::default();
    let counted = effects.clone();
    let app = Router::new()
        .route("/transfers", on_post(async move || counted.add().to_string()))
        .route_layer(
            once.layer()
                .require_key()
                .principal(|parts| parts.extensions.get::<User>().map(|user| Principal::verified(user.0))),
        )
        .layer(middleware::from_fn(async |mut request: Request<Body>, next: middleware::Next| {
            let user =
                request.headers().get("x-user").map(|user| User(user.to_str().unwrap().parse().unwrap()));
            if let Some(user) = user {
                request.extensions_mut().insert(user);
            }
            next.run(request).await
        }));
    let by = |user: &str| {
        let mut request = post("/transfers", "k");
        request.headers_mut().insert("x-user", user.parse().unwrap());
        request
    };
    assert_eq!(send(&app, by("1")).await.text, "1");
    assert_eq!(send(&app, by("2")).await.text, "2");
    assert_eq!(send(&app, by("1")).await.text, "1");
    assert_eq!(send(&app, post("/transfers", "k")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(effects.count(), 2);
}

/// RFC 8470, section 5.1: what is not one line of `0` may have been in early data.
#[tokio::test]
async fn whatever_says_early_data_in_another_way_is_early_too() {
    let once = Onlyonce::testing().await;
    let app = Router::new()
        .route("/t", on_post(async || "done"))
        .route_layer(once.layer().require_key().anonymous());
    for lines in [&["1"][..], &["0", "1"], &["1", "1"], &["0", "0"], &["1, 1"], &["true"], &[""]] {
        let mut request = post("/t", "k");
        lines.iter().for_each(|line| _ = request.headers_mut().append("early-data", line.parse().unwrap()));
        assert_eq!(send(&app, request).await.problem(), "too-early", "{lines:?}");
    }
    let mut late = post("/t", "k");
    late.headers_mut().append("early-data", "0".parse().unwrap());
    assert_eq!(send(&app, late).await.text, "done");
}

#[tokio::test]
#[should_panic(expected = "`retain_key` must be said where a key is derived")]
async fn derived_keys_need_their_time_said() {
    let once = Onlyonce::testing().await;
    let derived = onlyonce::Carrier::parse("derive:/from,/to,/amount").unwrap();
    let _: Router = Router::new().layer(once.layer().carriers([derived]).anonymous());
}

#[tokio::test]
#[should_panic(expected = "`retain_key` is 1h, and must be at least `retain_result`, 24h")]
async fn settings_that_contradict_each_other_are_refused_before_the_first_request() {
    let once = Onlyonce::testing().await;
    let layer = once.layer().retain_key(Duration::from_secs(3600)).anonymous();
    let _: Router = Router::new().layer(layer);
}

/// Nothing would stand between an attempt and its re-run.
#[tokio::test]
#[should_panic(expected = "`settle_after` must be longer than zero")]
async fn a_promised_re_run_needs_a_time_to_wait() {
    let once = Onlyonce::testing().await;
    let _: Router = Router::new().layer(once.layer().rerun(Duration::ZERO).anonymous());
}
