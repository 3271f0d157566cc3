//! Refusals before the ledger is asked: nothing is on record because of them, and nothing reaches the upstream.

use onlyonce_testbed::{
    client::{Connection, Request},
    effects::Upstream,
};
use serde_json::json;

use super::{Scenario, Shown};
use crate::{
    gateway::{Gateway, Setup},
    layer,
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("ambiguous", || Box::pin(ambiguous())),
    ("early-data", || Box::pin(early_data())),
    ("no-principal", || Box::pin(no_principal())),
    ("key-missing", || Box::pin(key_missing())),
    ("key-invalid", || Box::pin(key_invalid())),
    ("keys-disagree", || Box::pin(keys_disagree())),
    ("key-unreadable", || Box::pin(key_unreadable())),
    ("too-large", || Box::pin(too_large())),
    ("incomplete", || Box::pin(incomplete())),
    ("slow-body", || Box::pin(slow_body())),
];

/// Sends it, and sees that it left nothing anywhere.
async fn refused(setup: Setup, request: &Request) -> Shown {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let answer = send(gateway.address, request).await;
    left_nothing(&upstream, &gateway).await;
    answer.into()
}

async fn left_nothing(upstream: &Upstream, gateway: &Gateway) {
    assert_eq!(upstream.arrivals(), 0);
    let ask = json!({ "principal": "anonymous", "key": "k" });
    assert_ne!(gateway.ask(&Request::post("/api/v1/lookup").json(&ask)).await.status, 200);
    let open = gateway.ask(&Request::get("/api/v1/records")).await.json();
    assert_eq!(open["operations"], json!([]));
}

async fn ambiguous() -> Shown {
    let setup = Setup::anonymous().table("[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"");
    refused(setup, &Request::post("//transfers").key("k").body("x")).await
}

async fn early_data() -> Shown {
    refused(Setup::anonymous(), &transfer("k").header("early-data", "1")).await
}

async fn no_principal() -> Shown {
    refused(Setup::default(), &transfer("k")).await
}

async fn key_missing() -> Shown {
    let setup = Setup::anonymous().table("[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"");
    refused(setup, &Request::post("/transfers").body("x")).await
}

async fn key_invalid() -> Shown {
    refused(Setup::anonymous(), &transfer("a,b")).await
}

const BY_HEADER_OR_BODY: &str = "carriers = [\"header:idempotency-key\", \"body:/idempotency_key\"]";

async fn keys_disagree() -> Shown {
    let request = Request::post("/transfers").key("k").json(&json!({ "idempotency_key": "other" }));
    refused(Setup::anonymous().defaults(BY_HEADER_OR_BODY), &request).await
}

async fn key_unreadable() -> Shown {
    let setup = Setup::anonymous().defaults(&format!("{BY_HEADER_OR_BODY}\nkey = \"required\""));
    let request = Request::post("/transfers").header("content-type", "application/json").body("{no json");
    refused(setup, &request).await
}

async fn too_large() -> Shown {
    let setup = Setup::anonymous().defaults("request_limit = \"10B\"");
    refused(setup, &Request::post("/transfers").key("k").body("more than ten bytes")).await
}

/// The head of a request, and half its body.
const HALF: &[u8] =
    b"POST /transfers HTTP/1.1\r\nHost: bank.example\r\nIdempotency-Key: k\r\nContent-Length: 10\r\n\r\nhalf ";

async fn incomplete() -> Shown {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut connection = Connection::open(gateway.address).await.unwrap();
    connection.write(HALF).await.unwrap();
    connection.finish_writing().await.unwrap();
    let answer = connection.answer("POST").await.unwrap();
    left_nothing(&upstream, &gateway).await;
    answer.into()
}

async fn slow_body() -> Shown {
    let server = layer::serve(layer::Trouble::HasNoPatience).await;
    let mut connection = Connection::open(server.addr).await.unwrap();
    connection.write(HALF).await.unwrap();
    let answer = connection.answer("POST").await.unwrap();
    assert_eq!(server.calls(), 0);
    answer.into()
}
