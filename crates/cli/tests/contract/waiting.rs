//! Those who wait for another request's outcome.

use onlyonce_testbed::{
    Close, Gate,
    client::Connection,
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{
        all, assert_executed, assert_problem, assert_replays, begin, begin_many, said, send, transfer,
    },
};

/// A waiter that gives up and cleans «its» lock away takes the record of the one who is still running, and the next
/// request runs beside it.
#[tokio::test]
async fn f08_a_waiter_that_hangs_up_leaves_the_record_and_the_third_caller_waits_on() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    for close in [Close::Fin, Close::Reset] {
        let mut waiter = Connection::open(gateway.address).await.unwrap();
        waiter.start(&transfer("k")).await.unwrap();
        gateway.until("onlyonce_waiters", 1).await;
        waiter.close(close);
        gateway.until("onlyonce_waiters", 0).await;
    }
    let third = begin(gateway.address, &transfer("k"));
    gateway.until("onlyonce_waiters", 1).await;
    after.open();
    let first = first.await.unwrap();
    assert_executed(&first, 201);
    assert_replays(&third.await.unwrap(), &first);
    assert_eq!(upstream.arrivals(), 1);
}

/// A thousand who wait hold nothing that another key needs.
#[tokio::test]
async fn f22_a_thousand_waiters_on_one_key_do_not_keep_other_keys_waiting() {
    let before = Gate::closed();
    let (gate, held) = (before.clone(), "k");
    let upstream = Upstream::start(move |arrival| {
        let gate = gate.clone();
        async move {
            if arrival.seen.key().as_deref() == Some(held) {
                gate.pass().await;
            }
            Answer::created(&arrival.execute(), &arrival.seen)
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("wait = \"30s\"")).await;
    let begun = begin_many(gateway.address, &transfer(held), 1_000);
    gateway.until("onlyonce_waiters", 999).await;
    for n in 0..20 {
        assert_executed(&send(gateway.address, &transfer(&format!("other-{n}"))).await, 201);
    }
    before.open();
    let answers = all(begun).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.body == answers[0].body));
    assert_eq!((upstream.executions(held), upstream.total()), (1, 21));
}

#[tokio::test]
async fn a_repeat_that_has_waited_long_enough_is_told_to_come_back_with_the_same_key() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("wait = \"100ms\"")).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&repeat, 409, "in-progress");
    assert_eq!((&document["retryable"], &document["next"]), (&true.into(), &"same-key".into()));
    assert_eq!((repeat.header("retry-after"), &document["state"]), (Some("1"), &"in-progress".into()));
    after.open();
    let first = first.await.unwrap();
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
    assert_eq!(upstream.total(), 1);
}

/// An upstream that says «not now» would say it to each of them in turn: they are told at once.
#[tokio::test]
async fn after_a_503_that_asks_for_patience_all_who_wait_get_it_and_none_of_them_runs() {
    let before = Gate::closed();
    let gate = before.clone();
    let upstream = Upstream::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Answer::new(503).header("retry-after", "7").body("maintenance")
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let begun = begin_many(gateway.address, &transfer("k"), 10);
    gateway.until("onlyonce_waiters", 9).await;
    before.open();
    let answers = all(begun).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.text().as_str()), (503, "maintenance"));
        assert_eq!((answer.header("retry-after"), said(answer)), (Some("7"), Some("released")));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true"));
    assert_eq!((replayed.count(), upstream.arrivals()), (9, 1));
}

/// A 401 concerns the one who got it; it is not the operation's answer. One who waits takes the key over.
#[tokio::test]
async fn after_a_401_one_who_waits_takes_over_and_the_others_get_its_result() {
    let before = Gate::closed();
    let gate = before.clone();
    let upstream = Upstream::start(move |arrival| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            if arrival.effects().arrivals() == 1 {
                return Answer::new(401).header("www-authenticate", "Basic");
            }
            Answer::created(&arrival.execute(), &arrival.seen)
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer("k"));
    before.arrived(1).await;
    let waiting = begin_many(gateway.address, &transfer("k"), 5);
    gateway.until("onlyonce_waiters", 5).await;
    before.open();
    let first = first.await.unwrap();
    assert_eq!((first.status, said(&first)), (401, Some("released")));
    let answers = all(waiting).await;
    let ran: Vec<_> = answers.iter().filter(|answer| said(answer) == Some("executed")).collect();
    assert_eq!((ran.len(), upstream.arrivals(), upstream.total()), (1, 2, 1));
    let others = answers.iter().filter(|answer| said(answer) != Some("executed"));
    others.for_each(|answer| assert_replays(answer, ran[0]));
}
