//! The server stands still, or is killed and comes back.

use std::time::Duration;

use onlyonce_core::Refusal;
use onlyonce_ledger::{
    begin::{Look, Standing},
    store::{Body, Command, Store},
};
use onlyonce_testbed::servers::Redis;

use crate::{
    begun::{CREATED, begin, leased, request, until},
    load::Load,
    log,
};

const LEASE: Duration = Duration::from_secs(2);

/// Those who wait are read for together. Somebody has written another kind of key where one of the rows should be.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_fails_who_asks_for_it_and_nobody_else() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    assert_eq!(server.ask(&format!("LPUSH {{onlyonce:08}}r:08{} other", "00".repeat(15))).await, "1");
    server.sigstop().await;
    let ids: Vec<_> = (0..16).map(|key| request(key).id).collect();
    let asked: Vec<_> = ids.iter().map(|id| begun.store.heads(std::slice::from_ref(id))).collect();
    server.sigcont();
    for (number, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.is_err(), number == 8, "row {number}");
    }
}

/// Whoever had begun ends and is on record; whoever had not does not begin.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_for_longer_than_a_lease_makes_nothing_run_twice() {
    let server = Redis::start().await;
    let (one, two) = (begin(&server.url()).await, begin(&server.url()).await);
    let started = one.run(&leased(1, LEASE)).await;
    let waiting = one.claim(&leased(2, LEASE)).await;
    server.sigstop().await;
    // bounded: that a lease passes is what is tested
    tokio::time::sleep(LEASE + LEASE / 4).await;
    assert!(waiting.start().await.is_err(), "its lease is over, and nobody has confirmed a new one");
    server.sigcont();
    drop(waiting);
    until("it answers", async || two.ledger.look_up(&request(3), Duration::ZERO).await.is_ok()).await;
    for key in [1, 2] {
        // Whatever has become of it by now, nobody runs it while its outcome is not known.
        let look = two.ledger.look_up(&leased(key, LEASE), Duration::ZERO).await.unwrap();
        match look {
            Look::Free(_) => assert_eq!(key, 2, "what was not begun may have been released by now"),
            Look::Stands(Standing::Refused { refusal, .. }) => {
                assert!(matches!(refusal, Refusal::InProgress | Refusal::Unknown), "{refusal:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    started.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(two.replay(&request(1)).await, "paid");
    two.until_state(&request(2), "released, fence 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_kill_9_of_the_server_under_load() {
    let mut server = Redis::start().await;
    let (one, two) = (begin(&server.url()).await, begin(&server.url()).await);
    let load = Load::start(&[&one, &two], 8);
    for _ in 0..3 {
        load.more(200).await;
        server.kill9().await;
        server.restart().await;
    }
    load.more(200).await;
    let counts = load.end().await;
    counts.hold_at(&one).await;
    counts.hold_at(&begin(&server.url()).await).await;
}

/// Of six connections each would say it, and go on saying it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_told_once_and_so_is_its_return() {
    let log = log::listen();
    let mut server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let server_name = server.addr().to_string();
    let told = |what| log.lines(&[&server_name, what]).len();
    server.stop().await;
    let claim = || Command {
        id: request(1).id,
        expect: None,
        head: crate::kept::row(),
        body: Body::Keep,
        note: None,
    };
    // In turn on each of them.
    for _ in 0..6 {
        until("it is missed by who writes", async || begun.store.apply(vec![claim()]).await.is_err()).await;
        until("it is missed by who reads", async || begun.store.heads(&[request(1).id]).await.is_err()).await;
    }
    until("it is told", async || told("cannot be reached") > 0).await;
    server.restart().await;
    until("its return is told", async || told("can be reached again") > 0).await;
    assert_eq!((told("cannot be reached"), told("can be reached again")), (1, 1));
}

/// The same with a server that is away for longer: claims are refused at once and nothing is in doubt for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_is_found_again_by_itself() {
    let mut server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let attempt = begun.run(&request(1)).await;
    server.stop().await;
    until("it is missed", async || begun.ledger.look_up(&request(2), Duration::ZERO).await.is_err()).await;
    let complete = tokio::spawn(async move { attempt.complete(CREATED, "paid".into()).await });
    server.restart().await;
    complete.await.unwrap().unwrap();
    assert_eq!(begun.replay(&request(1)).await, "paid");
    let next = begun.run(&request(2)).await;
    next.complete(CREATED, "paid too".into()).await.unwrap();
}
