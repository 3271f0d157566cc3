//! What expires, beside claims.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_ledger::store::{Applied, Body, Command, Store};

use crate::{
    begun::Place,
    rows::{PAST, Session, apply, completed, id, in_progress, insert, literal, update, version},
};

/// A result is not kept for as long as its key is remembered.
#[tokio::test]
async fn a_result_goes_at_the_end_of_its_retention_and_the_row_stays() {
    let place = Place::new().await;
    let store = place.store().await;
    let key_until = store.now().plus(Duration::from_secs(3600));
    let body = Body::Put { bytes: Bytes::from_static(b"result"), until: PAST };
    let command = Command { body, ..insert(id(1), &completed(version(1, 1), PAST, key_until)) };
    apply(&store, command).await;
    assert_eq!(store.sweep(PAST.plus(Duration::from_secs(1)), 10).await.unwrap(), 0);
    assert_eq!(store.body(id(1)).await.unwrap(), None);
    assert!(store.heads(&[id(1)]).await.unwrap()[0].is_some());
    let mut beside = Session::open(&place.server).await;
    let waits = format!("select count(*) from {}.records where due_at = expires_at", place.schema);
    assert_eq!(beside.count(waits).await, 1);
}

/// Whose clock is a little behind that of the process that sweeps reads a record by which there is a result.
#[tokio::test]
async fn a_result_is_there_a_moment_longer_than_it_is_promised() {
    let place = Place::new().await;
    let store = place.store().await;
    let key_until = store.now().plus(Duration::from_secs(3600));
    let body = Body::Put { bytes: Bytes::from_static(b"result"), until: PAST };
    apply(&store, Command { body, ..insert(id(1), &completed(version(1, 1), PAST, key_until)) }).await;
    // What changes the row and not its result leaves that as it is.
    apply(&store, update(id(1), version(1, 1), &completed(version(1, 2), PAST, key_until))).await;
    for (late, kept) in [(0, true), (999, true), (1_000, false)] {
        store.sweep(PAST.plus(Duration::from_millis(late)), 10).await.unwrap();
        assert_eq!(store.body(id(1)).await.unwrap().is_some(), kept, "{late} ms after its end");
    }
}

/// A row that somebody holds is left for the next time: no sweep waits, and no claim waits for a sweep that waits.
#[tokio::test]
async fn a_sweep_passes_over_what_others_hold() {
    let place = Place::new().await;
    let store = place.store().await;
    for number in 0..600 {
        apply(&store, insert(id(number), &completed(version(1, 1), PAST, PAST))).await;
    }
    let mut other = Session::open(&place.server).await;
    other.say("begin").await;
    let held = literal(&id(5).0);
    other.say(format!("select from {}.records where id = {held} for update", place.schema)).await;
    let later = PAST.plus(Duration::from_secs(1));
    assert_eq!(store.sweep(later, 1_000).await.unwrap(), 599);
    other.say("rollback").await;
    assert_eq!(store.sweep(later, 1_000).await.unwrap(), 1, "the next one takes it");
}

/// C9: the sweep reads an expired row, a request claims it anew, and the sweep removes by id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c9_a_claim_over_an_expired_row_is_never_swept_away() {
    let place = Place::new().await;
    let (one, two) = (Arc::new(place.store().await), place.store().await);
    let ids: Vec<_> = (0..300).map(id).collect();
    for round in 0..10 {
        let (old, new) = (version(round * 2, 1), version(round * 2 + 1, 2));
        one.apply(ids.iter().map(|id| insert(*id, &completed(old, PAST, PAST))).collect()).await.unwrap();
        let later = PAST.plus(Duration::from_secs(1));
        let sweeping = tokio::spawn({
            let one = Arc::clone(&one);
            async move { one.sweep(later, 1_000).await }
        });
        let claims = ids.iter().map(|id| update(*id, old, &in_progress(new))).collect();
        let applied = two.apply(claims).await.unwrap();
        sweeping.await.unwrap().unwrap();
        let heads = two.heads(&ids).await.unwrap();
        for (applied, head) in applied.iter().zip(&heads) {
            assert_eq!(*applied == Applied::Yes, head.is_some(), "{applied:?} {head:?}");
        }
        let ended = ids.iter().map(|id| update(*id, new, &completed(version(200, 3), PAST, PAST))).collect();
        two.apply(ended).await.unwrap();
        while one.sweep(later, 1_000).await.unwrap() > 0 {}
        assert!(two.is_empty().await.unwrap());
    }
}
