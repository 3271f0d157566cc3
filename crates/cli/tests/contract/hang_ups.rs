//! Clients that go away. A handler that ends with its connection forgets what it did.

use onlyonce_testbed::{
    Close, Gate,
    client::{Connection, Point, abandon},
    effects::Upstream,
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{all, assert_executed, begin_many, said, send, transfer, transfer_of},
};

const CLOSES: [Close; 2] = [Close::Fin, Close::Reset];

/// Before the request is whole nothing is looked up, claimed or sent: another request may use the key.
#[tokio::test]
async fn f18_half_a_request_leaves_nothing_behind() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for (n, point) in [Point::AfterHead, Point::MidBody].into_iter().enumerate() {
        for close in CLOSES {
            let key = format!("k-{n}-{close:?}");
            abandon(gateway.address, &transfer_of(&key, 1), point, close).await.unwrap();
            assert_executed(&send(gateway.address, &transfer_of(&key, 2)).await, 201);
            assert_eq!(upstream.seen_with(&key)[0].header("idempotency-attempt"), Some("1"));
            assert_eq!(upstream.executions(&key), 1);
        }
    }
}

/// It is gone before the effect, and the effect happens: its result is there for whoever asks again.
#[tokio::test]
async fn f18_a_client_that_leaves_before_the_effect_finds_its_result_later() {
    for close in CLOSES {
        let before = Gate::closed();
        let upstream = Upstream::gated(&before, &Gate::opened()).await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let mut client = Connection::open(gateway.address).await.unwrap();
        client.start(&transfer("k")).await.unwrap();
        before.arrived(1).await;
        client.close(close);
        before.open();
        finds_its_result(&gateway, &upstream).await;
    }
}

/// It is gone between the effect and the answer.
#[tokio::test]
async fn f18_a_client_that_leaves_before_the_answer_finds_its_result_later() {
    for close in CLOSES {
        let after = Gate::closed();
        let upstream = Upstream::gated(&Gate::opened(), &after).await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let mut client = Connection::open(gateway.address).await.unwrap();
        client.start(&transfer("k")).await.unwrap();
        after.arrived(1).await;
        client.close(close);
        after.open();
        finds_its_result(&gateway, &upstream).await;
    }
}

/// It is gone while the answer is being read.
#[tokio::test]
async fn f18_a_client_that_leaves_in_the_middle_of_the_answer_finds_all_of_it_later() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for close in CLOSES {
        abandon(gateway.address, &transfer("k"), Point::AfterAnswerBytes(20), close).await.unwrap();
    }
    finds_its_result(&gateway, &upstream).await;
}

async fn finds_its_result(gateway: &Gateway, upstream: &Upstream) {
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!((answer.status, said(&answer)), (201, Some("replayed")));
    assert_eq!(answer.json()["effect"].as_str(), upstream.ids("k").first().map(String::as_str));
    assert_eq!(upstream.executions("k"), 1);
}

/// Gone at once after the last byte of the request, somewhere between look-up, claim and sending: no key is left in
/// progress, and none is executed twice.
#[tokio::test]
async fn f18_clients_that_leave_at_any_moment_wedge_no_key() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let keys: Vec<_> = (0..60).map(|n| format!("k-{n}")).collect();
    for (n, key) in keys.iter().enumerate() {
        abandon(gateway.address, &transfer(key), Point::AfterRequest, CLOSES[n % 2]).await.unwrap();
    }
    for key in &keys {
        let answers = all(begin_many(gateway.address, &transfer(key), 2)).await;
        assert!(answers.iter().all(|answer| answer.status == 201), "{key}: {answers:?}");
        assert_eq!(upstream.executions(key), 1, "{key}");
    }
    gateway.until("onlyonce_attempts_in_flight", 0).await;
}
