//! Those who wait for another request's outcome.

use std::time::Duration;

use onlyonce_testbed::{
    Close, Gate,
    client::Connection,
    effects::{Answer, Upstream},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
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

/// An upstream that takes no connection: its queue of connections is full, so that connecting hangs.
async fn unreachable() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    // bounded: the queue has room for a few, and the first that finds none is given up
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        queue.push(stream);
    }
    (listener, queue)
}

/// Nothing was sent, so nothing has happened; but each of them would find the same closed door.
#[tokio::test]
async fn after_an_upstream_that_was_not_reached_all_who_wait_are_told_so() {
    let (upstream, _queue) = unreachable().await;
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let setup = Setup::anonymous().top("upstream_connect = \"1s\"");
    let gateway = Gateway::start(&url, setup).await;
    let begun = begin_many(gateway.address, &transfer("k"), 4);
    gateway.until("onlyonce_waiters", 3).await;
    let answers = all(begun).await;
    for answer in &answers {
        assert_problem(answer, 502, "upstream-unreachable");
        assert_eq!((said(answer), answer.header("retry-after")), (Some("released"), Some("1")));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true"));
    assert_eq!(replayed.count(), 3);
}

/// The deadline of a request that never got a connection is no doubt: it cannot have had an effect.
#[tokio::test]
async fn at_the_deadline_a_request_that_was_never_sent_frees_its_key() {
    let (upstream, _queue) = unreachable().await;
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let setup = Setup::anonymous().top("upstream_connect = \"60s\"").defaults("deadline = \"200ms\"");
    let gateway = Gateway::start(&url, setup).await;
    for _ in 0..2 {
        let answer = send(gateway.address, &transfer("k")).await;
        assert_problem(&answer, 502, "upstream-unreachable");
        assert_eq!(said(&answer), Some("released"));
    }
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
