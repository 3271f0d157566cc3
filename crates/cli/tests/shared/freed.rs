//! Answers that free a key, and those who wait for it at both gateways.

use onlyonce_testbed::{
    Gate,
    client::Response,
    effects::{Answer, Upstream},
};

use crate::{
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{all, assert_replays, begin_many, said, send, transfer},
};

/// How many wait at each gateway.
const WAITERS: usize = 5;

on_each_backend!(
    after_a_503_one_who_waits_at_the_other_gateway_takes_over_and_the_rest_there_get_its_result,
    an_upstream_that_says_not_now_is_asked_once_by_each_gateway
);

/// The answer is nobody's result, and in no ledger: those who waited beside the first one get it; of those elsewhere, one
/// asks.
async fn after_a_503_one_who_waits_at_the_other_gateway_takes_over_and_the_rest_there_get_its_result(
    ledger: &Ledger,
) {
    let (upstream, first, there) = story(ledger, |arrival| arrival > 1).await;
    assert_not_now(&first);
    let executed = executed_one(&there);
    for answer in there.iter().filter(|answer| said(answer) != Some("executed")) {
        assert_replays(answer, executed);
    }
    assert_eq!((upstream.arrivals(), upstream.executions("k")), (2, 1));
}

async fn an_upstream_that_says_not_now_is_asked_once_by_each_gateway(ledger: &Ledger) {
    let (upstream, first, there) = story(ledger, |arrival| arrival > 2).await;
    assert_not_now(&first);
    assert_not_now(&there);
    // The third one is whoever comes afterwards.
    assert_eq!((upstream.arrivals(), upstream.executions("k")), (3, 1));
}

/// Requests at both gateways wait for the first, which is told «not now»; `acts`: whether the upstream acts at its n-th arrival.
/// In the end the key is sent to both again, and has had its effect.
async fn story(
    ledger: &Ledger,
    acts: impl Fn(usize) -> bool + Copy + Send + Sync + 'static,
) -> (Upstream, Vec<Response>, Vec<Response>) {
    let before = Gate::closed();
    let gate = before.clone();
    let upstream = Upstream::start(move |arrival| {
        let (gate, number) = (gate.clone(), arrival.effects().arrivals());
        async move {
            gate.pass().await;
            match acts(number) {
                true => Answer::created(&arrival.execute(), &arrival.seen),
                false => Answer::new(503).header("retry-after", "7").body("maintenance"),
            }
        }
    })
    .await;
    let pair = Pair::start(&upstream, ledger.setup("wait = \"60s\"")).await;
    let mut first = begin_many(pair.one.address, &transfer("k"), 1);
    before.arrived(1).await;
    first.extend(begin_many(pair.one.address, &transfer("k"), WAITERS));
    let there = begin_many(pair.other.address, &transfer("k"), WAITERS);
    pair.one.until("onlyonce_waiters", WAITERS as u64).await;
    pair.other.until("onlyonce_waiters", WAITERS as u64).await;
    before.open();
    let (first, there) = (all(first).await, all(there).await);
    let last = send(pair.one.address, &transfer("k")).await;
    assert_eq!(last.status, 201, "{}", last.text());
    assert_replays(&send(pair.other.address, &transfer("k")).await, &last);
    (upstream, first, there)
}

/// One of them asked, and all were told.
#[track_caller]
fn assert_not_now(answers: &[Response]) {
    for answer in answers {
        assert_eq!((answer.status, answer.text().as_str()), (503, "maintenance"));
        assert_eq!((answer.header("retry-after"), said(answer)), (Some("7"), Some("released")));
    }
    let asked = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none());
    assert_eq!(asked.count(), 1);
}

#[track_caller]
fn executed_one(answers: &[Response]) -> &Response {
    let mut executed = answers.iter().filter(|answer| said(answer) == Some("executed"));
    let (one, another) = (executed.next(), executed.next());
    assert!(another.is_none(), "it was executed twice");
    one.expect("it was executed")
}
