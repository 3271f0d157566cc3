//! Keys that come by two ways, or twice by one.

use onlyonce_testbed::client::Request;
use serde_json::json;

use crate::{
    gateway::Setup,
    scene::Scene,
    transfer::{assert_executed, assert_problem, assert_replays, send},
};

const CARRIERS: &str =
    "carriers = [\"header:idempotency-key\", \"header:x-request-id\", \"body:/key\", \"form:key\"]";

/// A proxy that adds or drops one of them between two attempts would make a second operation of the first.
#[tokio::test]
async fn d19_two_carriers_that_disagree_are_refused_and_two_that_agree_are_one_key() {
    let scene = Scene::with(Setup::anonymous().defaults(CARRIERS)).await;
    let form = "application/x-www-form-urlencoded";
    for request in [
        Request::post("/").key("k").header("x-request-id", "other"),
        Request::post("/").key("k").json(&json!({ "key": "other" })),
        Request::post("/").header("x-request-id", "k").json(&json!({ "key": "other" })),
        Request::post("/").key("k").header("content-type", form).body("key=other"),
    ] {
        assert_problem(&send(scene.gateway.address, &request).await, 400, "key-invalid");
        scene.assert_left_nothing().await;
    }
    let body = json!({ "key": "k" });
    let request = |key: &str| Request::post("/").header("Host", "h").key(key).json(&body);
    let first = send(scene.gateway.address, &request("\"k\"").header("x-request-id", "k")).await;
    assert_executed(&first, 201);
    let repeat = send(scene.gateway.address, &Request::post("/").header("Host", "h").json(&body)).await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
    assert_replays(&send(scene.gateway.address, &request("\"k\"")).await, &first);
}

/// Two readers of one body may take two of them.
#[tokio::test]
async fn d32_a_key_that_stands_twice_in_a_body_is_refused() {
    let scene = Scene::with(Setup::anonymous().defaults(CARRIERS)).await;
    for (kind, body) in [
        ("application/json", "{\"key\":\"k\",\"key\":\"k\"}"),
        ("application/json", "{\"key\":\"k\",\"\\u006bey\":\"other\"}"),
        ("application/x-www-form-urlencoded", "key=k&key=other"),
        ("application/x-www-form-urlencoded", "key=k&k%65y=other"),
    ] {
        let request = Request::post("/").header("content-type", kind).body(body);
        assert_problem(&send(scene.gateway.address, &request).await, 400, "key-invalid");
        scene.assert_left_nothing().await;
    }
}
