//! The bank over HTTP.

use std::net::SocketAddr;

use serde_json::json;

use crate::client::{get, post_form, post_json, send};
use crate::demo;

const ORDER: &str = r#"{"from":"ana","to":"luis","amount":100}"#;

async fn balances(bank: SocketAddr) -> Vec<i64> {
    let accounts = get(bank, "/accounts").await.json();
    accounts.as_array().unwrap().iter().map(|account| account["balance"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn each_call_moves_money() {
    let demo = demo().await;
    let bank = demo.addresses().twin;
    for id in ["t-1", "t-2"] {
        let paid = post_json(bank, "/transfers", &[("idempotency-key", "\"ignored\"")], ORDER).await;
        assert_eq!(paid.status, 201);
        assert_eq!(paid.json()["id"], id);
        let transfer = get(bank, paid.header("location").unwrap()).await;
        assert_eq!(transfer.json(), json!({ "id": id, "from": "ana", "to": "luis", "amount": 100 }));
    }
    assert_eq!(balances(bank).await, [800, 1_200]);
    assert_eq!(get(bank, "/transfers").await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_receipt_tells_both_balances() {
    let demo = demo().await;
    let paid = post_json(demo.addresses().twin, "/transfers", &[], ORDER).await;
    assert_eq!(paid.json()["balances"], json!({ "ana": 900, "luis": 1_100 }));
}

#[tokio::test]
async fn a_classic_form_is_an_order_too() {
    let demo = demo().await;
    let bank = demo.addresses().twin;
    let paid = post_form(bank, "/transfers", "from=luis&to=ana&amount=5").await;
    assert_eq!(paid.status, 201, "{}", paid.text());
    assert_eq!(balances(bank).await, [1_005, 995]);
}

#[tokio::test]
async fn a_refusal_says_why_and_moves_nothing() {
    let demo = demo().await;
    let bank = demo.addresses().twin;
    for (order, status) in [
        (r#"{"from":"ana","to":"eve","amount":1}"#, 400),
        (r#"{"from":"ana","to":"luis","amount":0}"#, 400),
        (r#"{"from":"ana","to":"luis","amount":1001}"#, 409),
    ] {
        let refused = post_json(bank, "/transfers", &[], order).await;
        assert_eq!(refused.status, status, "{order}");
        assert!(refused.json()["error"].is_string(), "{order}");
    }
    assert!(post_json(bank, "/transfers", &[], r#"{"from":"ana"}"#).await.status.is_client_error());
    assert!(
        post_json(bank, "/transfers", &[], r#"{"from":"ana","to":"luis","amount":-1}"#)
            .await
            .status
            .is_client_error()
    );
    assert_eq!(balances(bank).await, [1_000, 1_000]);
}

#[tokio::test]
async fn reset_opens_a_new_book() {
    let demo = demo().await;
    let bank = demo.addresses().twin;
    post_json(bank, "/transfers", &[], ORDER).await;
    assert_eq!(send(bank, "POST", "/reset", &[], "").await.unwrap().status, 204);
    assert_eq!(balances(bank).await, [1_000, 1_000]);
    assert_eq!(get(bank, "/transfers").await.json(), json!([]));
}

#[tokio::test]
async fn the_twins_share_nothing() {
    let demo = demo().await;
    post_json(demo.addresses().twin, "/transfers", &[], ORDER).await;
    assert_eq!(balances(demo.addresses().bank).await, [1_000, 1_000]);
}
