//! The page: as a classic form, and what its script relies on.

use std::net::SocketAddr;

use serde_json::Value;

use crate::client::{Answer, get, post_form, post_json, send};
use crate::demo;

const ORDER: &str = r#"{"from":"ana","to":"luis","amount":100}"#;
const GUARDED: &str = "/through/guarded/transfers";
const NAIVE: &str = "/through/naive/transfers";

async fn transfers(bank: SocketAddr) -> Vec<Value> {
    get(bank, "/transfers").await.json().as_array().unwrap().clone()
}

fn hidden_key(page: &Answer) -> String {
    let (_, rest) = page.text().split_once(r#"name="key" value=""#).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn by_script(page: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    post_json(page, path, headers, ORDER).await
}

// --- as a classic form ---

#[tokio::test]
async fn each_rendered_form_has_a_key_of_its_own() {
    let demo = demo().await;
    let page = demo.addresses().page;
    let keys = [hidden_key(&get(page, "/").await), hidden_key(&get(page, "/").await)];
    assert!(keys.iter().all(|key| key.len() == 36), "{keys:?}");
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_form_sent_again_by_reload_pays_once_with_a_key_and_twice_without() {
    let demo = demo().await;
    let at = demo.addresses();
    let form = format!("key={}", hidden_key(&get(at.page, "/").await));
    let first = post_form(at.page, "/pay/guarded", &form).await;
    let again = post_form(at.page, "/pay/guarded", &form).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert!(first.text().contains("Paid."));
    assert!(again.text().contains("idempotent-replayed: true"), "{}", again.text());
    assert_eq!(transfers(at.bank).await.len(), 1);

    post_form(at.page, "/pay/naive", &form).await;
    post_form(at.page, "/pay/naive", &form).await;
    assert_eq!(transfers(at.twin).await.len(), 2);
}

#[tokio::test]
async fn the_answer_to_a_form_keeps_its_key_and_its_switches() {
    let demo = demo().await;
    let page = demo.addresses().page;
    let answer = post_form(page, "/pay/guarded", "key=k-1&other=on").await;
    assert_eq!(hidden_key(&answer), "k-1");
    let ticked = |name: &str| answer.text().contains(&format!(r#"name="{name}" value="on" checked"#));
    assert_eq!([ticked("other"), ticked("luis")], [true, false]);
    let renewed = get(page, "/?key=k-1&other=on").await;
    assert_ne!(hidden_key(&renewed), "k-1");
    assert!(renewed.text().contains(r#"name="other" value="on" checked"#));
}

#[tokio::test]
async fn a_form_with_the_key_of_another_amount_shows_what_the_key_stands_for() {
    let demo = demo().await;
    let at = demo.addresses();
    post_form(at.page, "/pay/guarded", "key=k-1").await;
    let conflict = post_form(at.page, "/pay/guarded", "key=k-1&other=on").await;
    assert_eq!(conflict.status, 422);
    assert!(conflict.text().contains("&quot;accepted&quot;"), "{}", conflict.text());
    assert_eq!(transfers(at.bank).await.len(), 1);
}

#[tokio::test]
async fn a_form_whose_answer_is_lost_was_delivered() {
    let demo = demo().await;
    let at = demo.addresses();
    let lost = post_form(at.page, "/pay/guarded", "key=k-1&lost=on").await;
    assert_eq!(lost.status, 504);
    assert!(!lost.text().contains("balances&quot;"), "the lost answer shows");
    assert_eq!(transfers(at.bank).await.len(), 1);
    let again = post_form(at.page, "/pay/guarded", "key=k-1").await;
    assert!(again.text().contains("idempotent-replayed: true"));
    assert_eq!(transfers(at.bank).await.len(), 1);
}

#[tokio::test]
async fn a_key_from_a_form_cannot_become_markup_or_another_header() {
    let demo = demo().await;
    let page = demo.addresses().page;
    let answer = post_form(page, "/pay/guarded", "key=%22%3E%3Cscript%3Ex").await;
    assert!(!answer.text().contains("<script>x"));
    let answer = post_form(page, "/pay/guarded", "key=a%0D%0Ax-principal:%20luis").await;
    assert_eq!(answer.status, 400);
}

// --- what the script relies on ---

#[tokio::test]
async fn the_same_request_pays_once_with_a_key_and_twice_without() {
    let demo = demo().await;
    let at = demo.addresses();
    let key = [("idempotency-key", "\"k-1\"")];
    let (first, second) = tokio::join!(by_script(at.page, GUARDED, &key), by_script(at.page, GUARDED, &key));
    assert_eq!(first.body, second.body);
    let replays =
        [&first, &second].into_iter().filter(|answer| answer.header("idempotent-replayed").is_some());
    assert_eq!(replays.count(), 1);
    assert_eq!(transfers(at.bank).await.len(), 1);

    tokio::join!(by_script(at.page, NAIVE, &[]), by_script(at.page, NAIVE, &[]));
    assert_eq!(transfers(at.twin).await.len(), 2);
}

#[tokio::test]
async fn nothing_makes_a_key_up_for_a_request_without_one() {
    let demo = demo().await;
    let at = demo.addresses();
    assert_eq!(by_script(at.page, GUARDED, &[]).await.status, 400);
    assert!(transfers(at.bank).await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_breaks_the_connection_after_the_payment() {
    let demo = demo().await;
    let at = demo.addresses();
    let headers =
        [("content-type", "application/json"), ("demo-network", "lost"), ("idempotency-key", "\"k-1\"")];
    send(at.page, "POST", GUARDED, &headers, ORDER).await.unwrap_err();
    assert_eq!(transfers(at.bank).await.len(), 1);
    let again = by_script(at.page, GUARDED, &[("idempotency-key", "\"k-1\"")]).await;
    assert_eq!(again.header("idempotency-status"), Some("replayed"));
    assert_eq!(transfers(at.bank).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_network_takes_its_time_both_ways() {
    let demo = demo().await;
    let at = demo.addresses();
    let start = tokio::time::Instant::now();
    let paid = by_script(at.page, NAIVE, &[("demo-network", "slow")]).await;
    assert_eq!(paid.status, 201);
    assert!(start.elapsed().as_millis() >= 2_400, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_hangs_up_does_not_call_its_request_back() {
    let demo = demo().await;
    let at = demo.addresses();
    let headers = [("content-type", "application/json"), ("demo-network", "slow")];
    let sending = send(at.page, "POST", NAIVE, &headers, ORDER);
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, sending).await.is_err(), "a slow answer came fast");
    for _ in 0..100 {
        if transfers(at.twin).await.len() == 1 {
            return;
        }
        // bounded: a hundred turns
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the request never arrived");
}

#[tokio::test]
async fn luis_with_anas_key_gets_an_answer_of_his_own() {
    let demo = demo().await;
    let at = demo.addresses();
    let key = ("idempotency-key", "\"k-1\"");
    let hers = by_script(at.page, GUARDED, &[key]).await;
    let body = r#"{"from":"luis","to":"ana","amount":100}"#;
    let his = post_json(at.page, GUARDED, &[key, ("demo-user", "luis")], body).await;
    assert_eq!(his.header("idempotency-status"), Some("executed"));
    assert_ne!(hers.json()["id"], his.json()["id"]);
}

#[tokio::test]
async fn a_client_cannot_name_a_principal() {
    let demo = demo().await;
    let at = demo.addresses();
    let key = ("idempotency-key", "\"k-1\"");
    by_script(at.page, GUARDED, &[key]).await;
    // Were it believed, Luis would find Ana's key unused.
    let forged = by_script(at.page, GUARDED, &[key, ("x-principal", "luis")]).await;
    assert_eq!(forged.header("idempotency-status"), Some("replayed"));
    let unknown = by_script(at.page, GUARDED, &[key, ("demo-user", "eve")]).await;
    assert_eq!(unknown.header("idempotency-status"), Some("replayed"));
}

#[tokio::test]
async fn the_books_show_requests_payments_and_balances() {
    let demo = demo().await;
    let at = demo.addresses();
    for _ in 0..2 {
        by_script(at.page, NAIVE, &[]).await;
        by_script(at.page, GUARDED, &[("idempotency-key", "\"k-1\"")]).await;
    }
    let tally = |requests: &str, payments: &str| {
        format!("{requests}</span></span><span class=\"paid\">{payments}</span>")
    };
    let count = |n: u8, noun: &str| format!("<span class=\"count\">{n}</span> <span class=\"noun\">{noun}");
    let naive = get(at.page, "/ledger/naive").await;
    assert!(
        naive
            .text()
            .contains(&tally(&count(2, "requests <small>from this page</small>"), &count(2, "payments"))),
        "{}",
        naive.text()
    );
    assert!(naive.text().contains("−200 €") && naive.text().contains("1\u{202f}200 €"), "{}", naive.text());
    let guarded = get(at.page, "/ledger/guarded").await;
    assert!(
        guarded
            .text()
            .contains(&tally(&count(2, "requests <small>from this page</small>"), &count(1, "payment"))),
        "{}",
        guarded.text()
    );
    assert!(get(at.page, "/").await.text().contains(guarded.text()), "the page renders other books");
}

#[tokio::test]
async fn starting_over_empties_both_books() {
    let demo = demo().await;
    let at = demo.addresses();
    by_script(at.page, NAIVE, &[]).await;
    by_script(at.page, GUARDED, &[("idempotency-key", "\"k-1\"")]).await;
    let over = send(at.page, "POST", "/start-over", &[], "").await.unwrap();
    assert_eq!((over.status.as_u16(), over.header("location")), (303, Some("/")));
    assert!(transfers(at.bank).await.is_empty() && transfers(at.twin).await.is_empty());
}

#[tokio::test]
async fn the_page_asks_no_other_host() {
    let demo = demo().await;
    let page = demo.addresses().page;
    for path in ["/", "/style.css", "/page.js", "/icon.svg"] {
        let file = get(page, path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert!(!file.text().contains("{{"), "{path} has an unfilled slot");
        for reference in ["src=\"http", "href=\"http", "url(", "@import", "fetch(\"http"] {
            assert!(!file.text().contains(reference), "{path} contains {reference}");
        }
    }
}

#[tokio::test]
async fn the_instructions_name_every_address_and_tell_both_stories() {
    let demo = demo().await;
    let at = demo.addresses();
    let text = demo.instructions();
    for address in [at.page, at.gateway, at.bank, at.twin] {
        assert!(text.contains(&format!("http://{address}")), "{text}");
    }
    assert_eq!(text.matches("Idempotency-Key:").count(), 3, "{text}");
    assert_eq!(text.matches(&format!("curl -i http://{}/transfers --json", at.twin)).count(), 2, "{text}");
}
