//! The owner of an operation asks what became of it.

use axum::{Router, body::Body, routing::post as on_post};
use http::{Request, StatusCode, request::Parts};
use onlyonce::{OPERATIONS_ROUTE, Onlyonce, Operation, Principal};

use crate::send::{post, send};

fn principal(parts: &Parts) -> Option<Principal> {
    let user = parts.headers.get("x-user").map_or("ana", |user| user.to_str().unwrap());
    Some(Principal::verified(user))
}

#[tokio::test]
async fn its_owner_is_told_where_to_ask_and_what_became_of_it_and_nobody_else() {
    let once = Onlyonce::testing().await;
    let app = Router::new()
        .route("/t", on_post(async |op: Operation| op.unknown("the provider hung up")))
        .route_layer(once.layer().require_key().principal(principal))
        .route_service(OPERATIONS_ROUTE, once.operations(principal));
    let told = send(&app, post("/t", "k")).await.json();
    assert_eq!(told["next"], "poll");
    let url = told["operation"].as_str().unwrap().to_owned();
    let ask = |user: &str| Request::get(&url).header("x-user", user).body(Body::empty()).unwrap();
    let owner = send(&app, ask("ana")).await;
    assert_eq!((owner.status, owner.json()["state"].as_str().unwrap()), (StatusCode::OK, "unknown"));
    assert_eq!(owner.json()["operation_ref"], told["operation_ref"]);
    assert_eq!(send(&app, ask("bob")).await.status, StatusCode::NOT_FOUND);
}
