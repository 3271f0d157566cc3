//! A server whose settings are changed while the ledger is in use, or that is full.

use std::sync::atomic::{AtomicU16, Ordering};

use onlyonce_testbed::servers::Redis;

use crate::begun::{CREATED, begin, begin_with, options, request, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_evicts_stops_claims_until_it_is_set_right() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let attempt = begun.run(&request(1)).await;
    server.ask("CONFIG SET maxmemory-policy volatile-lru").await;
    begun.until_refused().await;
    // More than what was set aside for it: it needs memory, and there is.
    let long = "paid ".repeat(16 * 1024);
    attempt.complete(CREATED, long.clone().into()).await.unwrap();
    assert_eq!(begun.replay(&request(1)).await, long, "what runs is seen to its end, whole");
    server.ask("CONFIG SET maxmemory-policy noeviction").await;
    begun.until_granted(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_lose_claims_from_now_on_stops_them_unless_that_was_accepted() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let accepting =
        begin_with(onlyonce_store_redis::Options { accept_loss: true, ..options(&server.url()) }).await;
    assert!(begun.said.iter().all(|said| !said.contains("lose")), "{:?}", begun.said);
    server.ask("CONFIG SET appendfsync everysec").await;
    begun.until_refused().await;
    accepting.until_granted(2).await;
}

/// No key is free that ran, and none is held that did not.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_refuses_claims_and_takes_completions_once_it_has_some() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let attempt = begun.run(&request(1)).await;
    server.ask("CONFIG SET maxmemory 1").await;
    let complete = tokio::spawn(async move { attempt.complete(CREATED, "paid".into()).await });
    begun.until_refused().await;
    assert_eq!(begun.state(&request(1)).await, "in-progress, fence 1");
    server.ask("CONFIG SET maxmemory 0").await;
    // Its caller may have been told by then that it is not on record yet; it is tried on.
    let _ = complete.await.unwrap();
    begun.until_state(&request(1), "completed, fence 1").await;
    assert_eq!(begun.replay(&request(1)).await, "paid");
    begun.until_granted(3).await;
}

/// Emptied behind our backs, it would look as if nothing had ever been done.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_emptied_while_in_use_grants_nothing_any_more() {
    let server = Redis::start().await;
    drop(begin(&server.url()).await);
    let begun = begin(&server.url()).await;
    begun.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
    server.ask("FLUSHALL").await;
    // The store and the ledger look after it, each by itself, and either is reason enough.
    let key = AtomicU16::new(1_000);
    let refused = async || {
        let key = key.fetch_add(1, Ordering::Relaxed);
        begun.lead(&request(key)).await.claim().await.is_err()
    };
    until("claims are refused", &refused).await;
    assert!(refused().await && refused().await, "and go on being refused");
}

/// Emptied, and begun anew by a gateway that was started at that moment: each look found an identity.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_emptied_and_begun_anew_between_two_looks_grants_nothing_any_more() {
    use onlyonce_ledger::store::{Room, Store};

    let server = Redis::start().await;
    drop(begin(&server.url()).await);
    let before = begin(&server.url()).await;
    server.ask("FLUSHALL").await;
    let after = begin(&server.url()).await;
    until("no claims are admitted", async || before.store.room(0) == Room::Short).await;
    let refused = before.lead(&request(1)).await.claim().await;
    assert!(refused.is_err(), "{refused:?}");
    after.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
}

/// Before it is known that the server is full, a claim meets its refusal, which proves that nothing was written.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_the_server_has_no_memory_for_is_not_applied() {
    use onlyonce_ledger::store::{Body, Command, ErrorKind, Store};

    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let claim = || Command {
        id: request(1).id,
        expect: None,
        head: crate::kept::row(),
        body: Body::Keep,
        note: None,
    };
    server.ask("CONFIG SET maxmemory 1").await;
    let refused = begun.store.apply(vec![claim()]).await.map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::NotApplied));
    assert_eq!(begun.state(&request(1)).await, "absent");
    server.ask("CONFIG SET maxmemory 0").await;
    assert!(begun.store.apply(vec![claim()]).await.is_ok());
}

/// The row stands by then, in no index, and whoever takes it for not written forgets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_misses_a_permission_in_its_middle_is_in_doubt_and_one_that_may_not_begin_is_not_applied()
 {
    use onlyonce_ledger::store::{Body, Command, ErrorKind, Store};

    let server = Redis::start().await;
    server.ask("ACL SETUSER ledger on >secret ~* +@all").await;
    let begun = begin(&format!("redis://ledger:secret@{}", server.addr())).await;
    let apply = async |key| {
        let (id, head) = (request(key).id, crate::kept::row());
        let claim = Command { id, expect: None, head, body: Body::Keep, note: None };
        begun.store.apply(vec![claim]).await.map_err(|error| error.kind())
    };
    server.ask("ACL SETUSER ledger -zadd").await;
    assert_eq!(apply(1).await, Err(ErrorKind::Unknown));
    assert_eq!(begun.state(&request(1)).await, "in-progress, fence 1", "and it was written");
    server.ask("ACL SETUSER ledger -evalsha").await;
    assert_eq!(apply(2).await, Err(ErrorKind::NotApplied));
    assert_eq!(begun.state(&request(2)).await, "absent");
}
