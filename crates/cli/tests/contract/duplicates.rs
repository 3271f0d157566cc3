//! Many requests of one key at once.

use onlyonce_testbed::{Gate, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{all, assert_executed, assert_replays, begin, begin_many, said, send, transfer},
};

/// Whoever looks into a store, calls and then writes lets everybody in who looks before the first one has written. Here
/// all hundred are in before the upstream has done anything.
#[tokio::test]
async fn f01_a_hundred_parallel_duplicates_have_one_effect_and_a_hundred_equal_answers() {
    let before = Gate::closed();
    let upstream = Upstream::gated(&before, &Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let begun = begin_many(gateway.address, &transfer("k"), 100);
    before.arrived(1).await;
    gateway.until("onlyonce_waiters", 99).await;
    before.open();
    let answers = all(begun).await;
    assert_eq!((upstream.arrivals(), upstream.executions("k")), (1, 1));
    let (executed, replayed): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| said(answer) == Some("executed"));
    assert_eq!((executed.len(), replayed.len()), (1, 99));
    assert_executed(executed[0], 201);
    replayed.iter().for_each(|answer| assert_replays(answer, executed[0]));
}

/// Some take an equal body for an equal intent, and refuse the second of two transfers that are both meant.
#[tokio::test]
async fn f05_two_keys_with_one_body_are_two_operations() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let one = send(gateway.address, &transfer("k-1")).await;
    let other = send(gateway.address, &transfer("k-2")).await;
    assert_executed(&one, 201);
    assert_executed(&other, 201);
    assert_ne!(one.body, other.body);
    assert_eq!(upstream.total(), 2);
}

/// A lock that is taken before the result is looked for makes readers of one finished result refuse each other.
#[tokio::test]
async fn f07_a_hundred_repeats_at_once_all_get_the_result() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    let answers = all(begin_many(gateway.address, &transfer("k"), 100)).await;
    answers.iter().for_each(|answer| assert_replays(answer, &first));
    assert_eq!(upstream.arrivals(), 1);
}

/// One that wakes up when the first is done, and takes the lock without another look at the result, runs it again. So
/// many small races for the moment in which a result appears.
#[tokio::test]
async fn f09_whoever_comes_as_the_first_one_ends_reads_its_result() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let keys: Vec<_> = (0..30).map(|n| format!("k-{n}")).collect();
    let begun: Vec<_> = keys.iter().map(|key| begin_many(gateway.address, &transfer(key), 6)).collect();
    for (key, begun) in keys.iter().zip(begun) {
        let answers = all(begun).await;
        let first = answers.iter().find(|answer| said(answer) == Some("executed")).expect("one ran");
        let repeats = answers.iter().filter(|answer| said(answer) != Some("executed"));
        assert_eq!(repeats.clone().count(), 5, "{key}");
        repeats.for_each(|answer| assert_replays(answer, first));
        assert_eq!(upstream.executions(key), 1, "{key}");
    }
}

/// A fixed short wait tells the second click «in progress», although the first one's answer is about to come.
#[tokio::test]
async fn f10_a_repeat_waits_for_a_slow_first_one_and_both_are_served() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let second = begin(gateway.address, &transfer("k"));
    gateway.until("onlyonce_waiters", 1).await;
    assert!(!first.is_finished() && !second.is_finished());
    after.open();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_executed(&first, 201);
    assert_replays(&second, &first);
    assert_eq!(upstream.total(), 1);
}
