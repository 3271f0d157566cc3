//! A stand-in for the gateway: in memory, one lock per key, the answers that the page shows and no more.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{self, Answer};

/// What a key stands for: the request's body, and its answer.
type Slot = Arc<tokio::sync::Mutex<Option<(Value, Answer)>>>;

#[derive(Clone)]
struct Gateway {
    upstream: SocketAddr,
    slots: Arc<Mutex<HashMap<(String, String), Slot>>>,
}

/// Starts in front of `upstream`; ends with the runtime.
pub(crate) async fn start(upstream: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/transfers", post(transfer).get(pass))
        .route("/{*path}", any(pass))
        .with_state(Gateway { upstream, slots: Arc::default() });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn pass(State(gateway): State<Gateway>, method: http::Method, uri: http::Uri) -> Response {
    plain(&client::send(gateway.upstream, method.as_str(), uri.path(), &[], "").await.unwrap())
}

async fn transfer(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(principal) = only(&headers, "x-principal") else {
        return problem(StatusCode::UNAUTHORIZED, json!({ "title": "principal-required" }));
    };
    let Some(key) = only(&headers, "idempotency-key") else {
        return problem(
            StatusCode::BAD_REQUEST,
            json!({ "type": "urn:problem-type:onlyonce:key-missing",
            "title": "This request needs a key", "detail": "POST /transfers needs an Idempotency-Key." }),
        );
    };
    let slot = gateway.slots.lock().unwrap().entry((principal, key.clone())).or_default().clone();
    let mut slot = slot.lock().await;
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (status, mut response) = match &*slot {
        Some((accepted, _)) if *accepted != asked => return reused(accepted),
        Some((_, answer)) => ("replayed", plain(answer)),
        None => {
            let text = std::str::from_utf8(&body).unwrap();
            let answer = client::post_json(gateway.upstream, "/transfers", &[], text).await;
            let response = plain(&answer);
            *slot = Some((asked, answer));
            ("executed", response)
        }
    };
    let headers = response.headers_mut();
    headers.insert("idempotency-key", HeaderValue::from_str(&key).unwrap());
    headers.insert("idempotency-status", HeaderValue::from_static(status));
    if status == "replayed" {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}

fn plain(answer: &Answer) -> Response {
    let mut response = (answer.status, answer.body.clone()).into_response();
    for name in ["content-type", "location"] {
        if let Some(value) = answer.headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn reused(accepted: &Value) -> Response {
    problem(
        StatusCode::UNPROCESSABLE_ENTITY,
        json!({
            "type": "urn:problem-type:onlyonce:key-reused", "status": 422,
            "title": "This key already stands for another request",
            "detail": "The key was first used for POST /transfers with the parameters below.",
            "accepted": { "method": "POST", "path": "/transfers", "body": accepted },
            "differs": ["/amount"], "operation_ref": "op_7q2v", "state": "completed",
            "retryable": false, "next": "check",
        }),
    )
}

fn problem(status: StatusCode, problem: Value) -> Response {
    (status, [("content-type", "application/problem+json")], Json(problem).0.to_string()).into_response()
}

/// The header's value if it is there exactly once.
fn only(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.to_str().unwrap().to_owned()),
        _ => None,
    }
}
