//! What others hold: rows, rows that they have not committed, the whole table.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{Record, RecordId, codec};
use onlyonce_ledger::{
    begin::{Claimed, Look},
    store::{Applied, Command, ErrorKind, Store},
};
use onlyonce_store_postgres::PostgresStore;

use crate::{
    begun::{CREATED, Place, lead, replayed, request, run},
    rows::{Session, apply, id, in_progress, insert, literal, update, version},
};

/// The row of another's claim, as a session beside writes it.
fn written(schema: &str, id: RecordId, record: &Record) -> String {
    let Record { version, .. } = record;
    format!(
        "insert into {schema}.records (id, attempt, revision, open, head) values ({}, {}, {}, true, {})",
        literal(&id.0),
        literal(&version.attempt.0),
        version.revision,
        literal(&codec::encode(record))
    )
}

/// Two gateways with the same keys, each in another order: without one order for all, each would hold what the other wants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_500_records_in_opposite_order_from_two_stores_make_no_deadlock() {
    let place = Place::new().await;
    let (one, two) = (place.store().await, place.store().await);
    for round in 0..10 {
        let ids: Vec<_> = (0..500).map(|number| id(round * 500 + number)).collect();
        let back: Vec<_> = ids.iter().rev().copied().collect();
        let batch = |ids: &[RecordId], attempt| -> Vec<Command> {
            ids.iter().map(|id| insert(*id, &in_progress(version(attempt, 1)))).collect()
        };
        let (first, second) = tokio::join!(one.apply(batch(&ids, 1)), two.apply(batch(&back, 2)));
        let (first, mut second) = (first.unwrap(), second.unwrap());
        second.reverse();
        for (first, second) in first.iter().zip(&second) {
            assert_ne!(
                *first == Applied::Yes,
                *second == Applied::Yes,
                "one of two wins: {first:?}, {second:?}"
            );
        }
        let winners = first.iter().map(|first| if *first == Applied::Yes { 1 } else { 2 });
        let forth: Vec<_> = ids.iter().copied().zip(winners).collect();
        let next = |(id, attempt): &(RecordId, u8)| {
            update(*id, version(*attempt, 1), &in_progress(version(*attempt, 2)))
        };
        let renewals: Vec<_> = forth.iter().map(next).collect();
        let reversed = forth.iter().rev().map(next).collect();
        let (first, second) = tokio::join!(one.apply(renewals), two.apply(reversed));
        let (first, mut second) = (first.unwrap(), second.unwrap());
        second.reverse();
        for (first, second) in first.iter().zip(&second) {
            assert_ne!(
                *first == Applied::Yes,
                *second == Applied::Yes,
                "one of two renews: {first:?}, {second:?}"
            );
        }
    }
}

async fn applying(
    store: &Arc<PostgresStore>,
    command: Command,
) -> tokio::task::JoinHandle<Result<Vec<Applied>, onlyonce_ledger::store::Error>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.apply(vec![command]).await })
}

/// C11: an insert that meets another's uncommitted one does nothing, and its own snapshot does not show the row. Read as
/// absent, the operation would run a second time.
#[tokio::test(flavor = "multi_thread")]
async fn c11_a_row_that_another_commits_meanwhile_is_never_absent() {
    let place = Place::new().await;
    let store = Arc::new(place.store().await);
    let (mut other, mut beside) = (Session::open(&place.server).await, Session::open(&place.server).await);
    let theirs = in_progress(version(9, 1));
    for number in 0..8 {
        other.say("begin").await;
        other.say(written(&place.schema, id(number), &theirs)).await;
        let applied = applying(&store, insert(id(number), &in_progress(version(1, 1)))).await;
        beside.until_onlyonce_waits_for("Lock", "transactionid").await;
        other.say("commit").await;
        match applied.await.unwrap() {
            Ok(applied) => assert_eq!(applied, [Applied::Conflict(Some(codec::encode(&theirs)))]),
            // On a machine that is slow enough the lock is not waited for so long.
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotApplied),
        }
        let again = apply(&*store, insert(id(number), &in_progress(version(1, 1)))).await;
        assert_eq!(again, Applied::Conflict(Some(codec::encode(&theirs))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_takes_back_hinders_nobody() {
    let place = Place::new().await;
    let store = Arc::new(place.store().await);
    let (mut other, mut beside) = (Session::open(&place.server).await, Session::open(&place.server).await);
    other.say("begin").await;
    other.say(written(&place.schema, id(1), &in_progress(version(9, 1)))).await;
    let applied = applying(&store, insert(id(1), &in_progress(version(1, 1)))).await;
    beside.until_onlyonce_waits_for("Lock", "transactionid").await;
    other.say("rollback").await;
    match applied.await.unwrap() {
        Ok(applied) => assert_eq!(applied, [Applied::Yes]),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotApplied);
            assert_eq!(apply(&*store, insert(id(1), &in_progress(version(1, 1)))).await, Applied::Yes);
        }
    }
}

/// C12: what a foreign session holds is taken out of the batch, and strangers do not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_rows_that_others_hold_for_long_hold_up_no_stranger() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    let held = run(&ledger, &request(1)).await;
    let mut other = Session::open(&place.server).await;
    other.say("begin").await;
    let row = literal(&request(1).id.0);
    other.say(format!("select from {}.records where id = {row} for update", place.schema)).await;
    other.say(written(&place.schema, request(2).id, &in_progress(version(9, 1)))).await;
    // Both are tried again and again from here on, until the other session is done.
    let completing = tokio::spawn(async move { held.complete(CREATED, "late".into()).await });
    let strangers: Vec<_> = (100..160)
        .map(|key| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                if key % 20 == 0 {
                    // Somebody who wants the row that is not committed, and gets a 503.
                    if let Ok(Look::Free(leader)) = ledger.look_up(&request(2), Duration::ZERO).await {
                        assert!(
                            !matches!(leader.claim().await, Ok(Claimed::Attempt(_))),
                            "nobody knows whose it is"
                        );
                    }
                }
                for turn in 0..5 {
                    let request = request(key * 10 + turn);
                    run(&ledger, &request).await.complete(CREATED, "paid".into()).await.unwrap();
                    assert_eq!(replayed(&ledger, &request).await, "paid");
                }
            })
        })
        .collect();
    for stranger in strangers {
        stranger.await.unwrap();
    }
    other.say("commit").await;
    let completed = completing.await.unwrap();
    assert!(!matches!(completed, Err(onlyonce_ledger::attempt::Unrecorded::Refused(_))), "{completed:?}");
}

/// A statement that ran into a lock has done nothing, and says so, however often.
#[tokio::test]
async fn a_table_that_is_locked_is_not_applied_and_comes_back() {
    let place = Place::new().await;
    let store = place.store().await;
    apply(&store, insert(id(1), &in_progress(version(1, 1)))).await;
    let mut other = Session::open(&place.server).await;
    other.say("begin").await;
    other.say(format!("lock table {}.records in access exclusive mode", place.schema)).await;
    for _ in 0..3 {
        let refused = store.apply(vec![insert(id(2), &in_progress(version(1, 1)))]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotApplied);
    }
    assert_eq!(store.heads(&[id(1)]).await.unwrap_err().kind(), ErrorKind::NotApplied);
    other.say("rollback").await;
    assert_eq!(store.heads(&[id(2)]).await.unwrap(), [None]);
    assert_eq!(apply(&store, insert(id(2), &in_progress(version(1, 1)))).await, Applied::Yes);
}

/// C6: one command that PostgreSQL refuses fails its batch, and is told from failures that pass.
#[tokio::test]
async fn c6_a_poison_command_is_told_for_what_it_contains_and_costs_its_answer_alone() {
    let place = Place::new().await;
    let mut other = Session::open(&place.server).await;
    let schema = &place.schema;
    other.say(format!("alter table {schema}.records add check (octet_length(result) < 1000)")).await;
    let ledger = place.ledger().await;
    let mut ends = Vec::new();
    for key in 0..32 {
        let attempt = run(&ledger, &request(key)).await;
        // What is sealed was compressed before, so it has to be noise.
        let result = if key == 17 { noise(4000) } else { "paid".into() };
        ends.push(tokio::spawn(async move { attempt.complete(CREATED, result).await }));
    }
    for end in ends {
        end.await.unwrap().unwrap();
    }
    let states = format!(
        "select string_agg(state || ' ' || n, ', ' order by state) from (select state, count(*) n from {schema}.records group by state) s"
    );
    assert_eq!(other.text(states).await, "completed 31, tombstone 1");
    lead(&ledger, &request(99)).await;
}

fn noise(len: usize) -> bytes::Bytes {
    let mut state = 1_u64;
    let mut next = || {
        // xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}
