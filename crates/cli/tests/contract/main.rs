//! The contract from outside: the real gateway process, real sockets, an upstream that counts its effects.

#[path = "../support/gateway.rs"]
mod gateway;

use gateway::{Gateway, Setup};
use onlyonce_testbed::{client, client::Request, effects::Upstream};

#[tokio::test]
async fn a_repeat_is_replayed_byte_for_byte() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let request = Request::post("/transfers").key("k").json(&serde_json::json!({"amount": 100}));
    let first = client::send(gateway.address, &request).await.unwrap();
    let second = client::send(gateway.address, &request).await.unwrap();
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("idempotency-status"), Some("executed"));
    assert_eq!(second.header("idempotency-status"), Some("replayed"));
}
