//! What was answered stays answered, whatever happens to the process.

use onlyonce_testbed::{Gate, client, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, send, transfer, transfer_of},
};

#[tokio::test]
async fn an_answer_that_was_given_survives_kill_9() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut firsts = Vec::new();
    for round in 0..3 {
        let key = format!("k-{round}");
        let first = send(gateway.address, &transfer(&key)).await;
        assert_executed(&first, 201);
        firsts.push((key, first));
        gateway.crash_and_restart().await;
        for (key, first) in &firsts {
            assert_replays(&send(gateway.address, &transfer(key)).await, first);
            assert_problem(&send(gateway.address, &transfer_of(key, 999)).await, 422, "key-reused");
        }
    }
    assert_eq!(upstream.total(), 3);
}

/// Killed with requests at every place: none runs twice, and each is known, free or unknown.
#[tokio::test]
async fn requests_under_way_at_kill_9_are_free_or_unknown_and_none_has_two_effects() {
    let (before, after) = (Gate::closed(), Gate::closed());
    let upstream = Upstream::gated(&before, &after).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let keys: Vec<_> = (0..12).map(|n| format!("k-{n}")).collect();
    let address = gateway.address;
    let begun: Vec<_> = keys
        .iter()
        .map(|key| {
            let request = transfer(key);
            tokio::spawn(async move { client::send(address, &request).await })
        })
        .collect();
    before.arrived(12).await;
    before.admit(6);
    after.arrived(6).await;
    gateway.crash_and_restart().await;
    for request in begun {
        assert!(request.await.unwrap().is_err(), "nobody was answered");
    }
    before.open();
    after.open();
    for key in &keys {
        assert_problem(&send(gateway.address, &transfer(key)).await, 409, "outcome-unknown");
    }
    upstream.executed(12).await;
    assert!(keys.iter().all(|key| upstream.executions(key) == 1));
}
