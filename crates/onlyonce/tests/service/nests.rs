//! Routers within routers: what is nested sees a path without its prefix, and yet the prefix counts. So does a path that was
//! rewritten on the way.

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

/// `/transfers` goes to the version that a header names, and both count: where it came from, and where it goes.
#[tokio::test]
async fn a_key_is_not_taken_to_another_path_that_the_same_one_is_rewritten_to() {
    let (once, effects) = (Onlyonce::testing().await, Effects::default());
    let counted = effects.clone();
    let versions = Router::new()
        .route("/{version}/transfers", on_post(async move || counted.add().to_string()))
        .route_layer(once.layer().require_key().anonymous());
    let rewritten = tower::ServiceBuilder::new()
        .map_request(|mut request: Request<Body>| {
            let version = request.headers()["x-version"].to_str().unwrap();
            *request.uri_mut() = format!("/{version}{}", request.uri().path()).parse().unwrap();
            request
        })
        .service(versions);
    let app = Router::new().fallback_service(rewritten);
    let send_as = async |version: &str| {
        let mut request = post("/transfers", "k");
        request.headers_mut().insert("x-version", version.parse().unwrap());
        send(&app, request).await
    };
    assert_eq!(send_as("v1").await.text, "1");
    assert_eq!(send_as("v2").await.problem(), "key-reused");
    assert_eq!(send_as("v1").await.header("idempotency-status"), "replayed");
    assert_eq!(effects.count(), 1);
}

/// Their extensions say where the request was sent that they were made of.
#[tokio::test]
async fn two_requests_that_a_handler_makes_of_its_own_are_not_one() {
    let (once, effects) = (Onlyonce::testing().await, Effects::default());
    let counted = effects.clone();
    let within = Router::new()
        .route("/{part}", on_post(async move || counted.add().to_string()))
        .route_layer(once.layer().require_key().anonymous());
    let handler = async move |request: axum::extract::Request| {
        let mut told = Vec::new();
        for path in ["/fee", "/tax", "/fee?dry=1", "/fee"] {
            let mut part = post(path, "k");
            *part.extensions_mut() = request.extensions().clone();
            told.push(send(&within, part).await.status.as_u16().to_string());
        }
        told.join(" ")
    };
    let app = Router::new().route("/transfers", on_post(handler));
    assert_eq!(send(&app, post("/transfers", "t")).await.text, "200 422 422 200");
    assert_eq!(effects.count(), 1);
}
