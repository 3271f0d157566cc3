//! Layers in the wrong order, and handlers without one: the operator is told what to change, and the client nothing.

use axum::{Router, body::Body, middleware, routing::post as on_post};
use http::{Method, Request, StatusCode};
use onlyonce::{Carrier, Onlyonce, Operation, Principal};

use crate::{
    log::Log,
    send::{post, send},
};

#[derive(Clone)]
struct User;

async fn authenticate(mut request: Request<Body>, next: middleware::Next) -> axum::response::Response {
    request.extensions_mut().insert(User);
    next.run(request).await
}

#[tokio::test]
async fn a_layer_that_authenticates_too_late_is_told_to_the_operator_once() {
    let (log, _listening) = Log::listen();
    let once = Onlyonce::testing().await;
    let by_user = |layer: onlyonce::Layer<_>| {
        layer.require_key().principal(|parts| parts.extensions.get::<User>().map(|_| Principal::verified(7)))
    };
    let routes = || Router::new().route("/t", on_post(async || "done"));
    let wrong = routes().route_layer(middleware::from_fn(authenticate)).route_layer(by_user(once.layer()));
    for key in ["a", "b"] {
        let answer = send(&wrong, post("/t", key)).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (StatusCode::UNAUTHORIZED, "principal-required".to_owned())
        );
        assert!(!answer.text.contains("layer") && !answer.text.contains("axum"), "{}", answer.text);
    }
    let told = log.lines("the layer that is added last runs first");
    assert_eq!(told.len(), 1, "once for each layer: {told:?}");
    assert!(told[0].contains("ERROR") && told[0].contains(".layer(authenticate)"), "{told:?}");

    let right = routes().route_layer(by_user(once.layer())).layer(middleware::from_fn(authenticate));
    assert_eq!(send(&right, post("/t", "a")).await.status, StatusCode::OK);
    assert_eq!(log.lines("added last").len(), 1);
}

#[tokio::test]
async fn an_empty_id_is_nobody() {
    let (log, _listening) = Log::listen();
    let once = Onlyonce::testing().await;
    let layer = once.layer().require_key().principal(|_| Some(Principal::verified("")));
    let app = Router::new().route("/t", on_post(async || "done")).route_layer(layer);
    assert_eq!(send(&app, post("/t", "a")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log.lines("or an empty id").len(), 1);
}

#[tokio::test]
async fn an_operation_without_a_layer_is_a_500_and_a_line_that_says_which_layer_is_missing() {
    let (log, _listening) = Log::listen();
    let app = Router::new().route("/t", on_post(async |op: Operation| op.reference().to_string()));
    let answer = send(&app, post("/t", "a")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text.contains("layer"), "{}", answer.text);
    let told = log.lines("the layer of onlyonce is missing");
    assert!(told.len() == 1 && told[0].contains("route=\"/t\""), "{told:?}");
}

/// Both lines had the path, in which a key may stand.
#[tokio::test]
async fn what_is_told_of_a_mistake_names_the_route_and_no_path() {
    let (log, _listening) = Log::listen();
    let once = Onlyonce::testing().await;
    let put = || axum::routing::put(async |op: Operation| op.reference().to_string());
    let nobody = once
        .layer()
        .carriers([Carrier::parse("path:id").unwrap()])
        .methods([Method::PUT])
        .principal(|_| None);
    let nobody = Router::new().route("/orders/{id}", put()).route_layer(nobody);
    let without = Router::new().route("/orders/{id}", put());
    for (app, status) in [(nobody, StatusCode::UNAUTHORIZED), (without, StatusCode::INTERNAL_SERVER_ERROR)] {
        let request = Request::put("/orders/a-key-of-its-own").body(Body::empty()).unwrap();
        assert_eq!(send(&app, request).await.status, status);
    }
    assert_eq!(log.lines("route=\"/orders/{id}\"").len(), 2, "{:?}", log.lines(""));
    assert_eq!(log.lines("a-key-of-its-own"), Vec::<String>::new());
}

#[tokio::test]
async fn an_optional_operation_is_there_with_a_key_and_not_without() {
    let once = Onlyonce::testing().await;
    let handler = async |op: Option<Operation>| op.map_or("none".to_owned(), |op| op.reference().to_string());
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().anonymous());
    assert!(send(&app, post("/t", "a")).await.text.starts_with("op_"));
    let mut unkeyed = post("/t", "a");
    unkeyed.headers_mut().remove("idempotency-key");
    // Nobody can say so but the layer.
    unkeyed.headers_mut().insert("idempotency-operation", "op_forged".parse().unwrap());
    assert_eq!(send(&app, unkeyed).await.text, "none");
}

#[tokio::test]
async fn what_only_the_layer_says_is_taken_off_a_request_that_it_lets_pass() {
    let once = Onlyonce::testing().await;
    let handler = async |headers: http::HeaderMap| headers.contains_key("idempotency-operation").to_string();
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().anonymous());
    let forged =
        Request::post("/t").header("idempotency-operation", "op_forged").body(Body::empty()).unwrap();
    assert_eq!(send(&app, forged).await.text, "false");
    assert_eq!(send(&app, post("/t", "a")).await.text, "true");
}
