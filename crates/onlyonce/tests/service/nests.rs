//! Routers within routers: what is nested sees a path without its prefix, and yet the prefix counts.

use std::time::Duration;

use axum::{Router, body::Body, extract::Path, routing::post as on_post};
use http::{Method, Request, StatusCode};
use onlyonce::{Carrier, Layer, Onlyonce};

use crate::send::{Effects, post, send};

/// `/accounts/{account}` over `route`, which counts its effects.
fn nested(layer: Layer, route: &str, effects: Effects) -> Router {
    let handler = async move |Path(_): Path<Vec<(String, String)>>| effects.add().to_string();
    let inner = Router::new().route(route, on_post(handler.clone()).put(handler)).route_layer(layer);
    Router::new().nest("/accounts/{account}", inner)
}

#[tokio::test]
async fn a_key_is_not_taken_to_another_nested_account() {
    let (once, effects) = (Onlyonce::testing().await, Effects::default());
    let app = nested(once.layer().require_key().anonymous(), "/transfers", effects.clone());
    assert_eq!(send(&app, post("/accounts/1/transfers", "k")).await.text, "1");
    let other = send(&app, post("/accounts/2/transfers", "k")).await;
    assert_eq!((other.status, other.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "key-reused".to_owned()));
    assert_eq!(send(&app, post("/accounts/1/transfers", "k")).await.header("idempotency-status"), "replayed");
    assert_eq!(effects.count(), 1);
}

#[tokio::test]
async fn a_derived_key_counts_the_prefix() {
    let (once, effects) = (Onlyonce::testing().await, Effects::default());
    let layer = once
        .layer()
        .carriers([Carrier::parse("derive:/amount").unwrap()])
        .retain_key(Duration::from_secs(7 * 86_400))
        .anonymous();
    let app = nested(layer, "/transfers", effects.clone());
    let send_to = async |path: &str| {
        let body = Body::from("{\"amount\":100}");
        let request = Request::post(path).header("content-type", "application/json").body(body).unwrap();
        send(&app, request).await.text
    };
    for (path, effect) in
        [("/accounts/1/transfers", "1"), ("/accounts/2/transfers", "2"), ("/accounts/1/transfers", "1")]
    {
        assert_eq!(send_to(path).await, effect, "{path}");
    }
}

#[tokio::test]
async fn a_key_in_a_nested_path_is_that_of_the_whole_path() {
    let (once, effects) = (Onlyonce::testing().await, Effects::default());
    let layer = once
        .layer()
        .methods([Method::PUT])
        .carriers([Carrier::parse("path:id").unwrap()])
        .require_key()
        .anonymous();
    let app = nested(layer, "/transfers/{id}", effects.clone());
    let put = async |path: &str| send(&app, Request::put(path).body(Body::from("{}")).unwrap()).await;
    let first = put("/accounts/1/transfers/7").await;
    assert_eq!((first.text.as_str(), first.header("idempotency-key")), ("1", "\"7\""));
    assert_eq!(put("/accounts/1/transfers/8").await.text, "2");
    assert_eq!(put("/accounts/1/transfers/7").await.header("idempotency-status"), "replayed");
    assert_eq!(effects.count(), 2);
}
