//! Two versions of Onlyonce on one ledger: the one that is being replaced, and the one that replaces it.
//!
//! This version plays the older one. What comes after it is simulated by what the rule for migrations allows (`migrate.rs`): a column and an
//! index that this version knows nothing of, which are written for a program that names itself otherwise.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{codec, record::ReleaseCause};
use onlyonce_ledger::{
    ErrorKind, Ledger,
    begin::{Claimed, Look, Request},
    store::{Applied, Store},
};
use onlyonce_store_postgres::{Migrated, PostgresStore};

use crate::{
    begun::{CREATED, Place, claim, lead, replayed, request, run},
    rows::{PAST, Session, apply, completed, id, in_progress, insert, literal, version},
};

/// The schema after this version's.
const NEXT: i32 = 2;

/// What `onlyonce ledger migrate` of the next version does, in one transaction.
async fn migrate_to_next(place: &Place, owner: &mut Session) {
    let schema = &place.schema;
    owner
        .say(format!(
            "begin;
             set local lock_timeout = '10s';
             alter table {schema}.records add column later text;
             create index records_later on {schema}.records (later) where later is not null;
             create function {schema}.later() returns trigger language plpgsql as $$ begin
               if current_setting('application_name') = 'next' then new.later := 'written'; end if;
               return new;
             end $$;
             create trigger later before insert or update on {schema}.records for each row execute function {schema}.later();
             insert into {schema}.migrations values ({NEXT}, 'later', {}, '');
             commit",
            NEXT - 1
        ))
        .await;
}

/// The next version's way to the ledger.
fn next(place: &Place) -> Place {
    place.through(&format!("{}?application_name=next", place.server))
}

/// Whether this one is granted the claim.
async fn wins(ledger: &Ledger, request: &Request) -> bool {
    let Ok(Look::Free(leader)) = ledger.look_up(request, Duration::ZERO).await else { return false };
    let Ok(Claimed::Attempt(attempt)) = leader.claim().await else { return false };
    attempt.start().await.unwrap();
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_the_version_before_goes_on_beside_the_next_one_after_its_migration() {
    let place = Place::new().await;
    let mut owner = Session::open(&place.server).await;
    let old = place.ledger().await;
    run(&old, &request(1)).await.complete(CREATED, "before".into()).await.unwrap();
    // Claimed before the migration, and ended after it.
    let (running, waiting) = (run(&old, &request(2)).await, claim(lead(&old, &request(3)).await).await);
    migrate_to_next(&place, &mut owner).await;
    let new = next(&place).ledger().await;
    running.complete(CREATED, "over it".into()).await.unwrap();
    waiting.release(ReleaseCause::NotSent, None).await.unwrap();

    assert_eq!(replayed(&new, &request(1)).await, "before");
    assert_eq!(replayed(&new, &request(2)).await, "over it");
    let second = run(&new, &request(3)).await;
    assert_eq!(second.fence().0, 2, "the next version claims what this one has released");
    second.release(ReleaseCause::NotSent, None).await.unwrap();
    let third = run(&old, &request(3)).await;
    assert_eq!(third.fence().0, 3, "and the other way round");
    third.complete(CREATED, "third".into()).await.unwrap();
    assert_eq!(replayed(&new, &request(3)).await, "third");

    // Restarted, it still serves, and has nothing to migrate.
    let restarted = place.ledger().await;
    let again = PostgresStore::migrate(place.options()).await.unwrap();
    assert_eq!(again, Migrated { from: NEXT, to: NEXT });
    for key in 100..140 {
        let request = request(key);
        let (one, other) = tokio::join!(wins(&restarted, &request), wins(&new, &request));
        assert!(!(one && other), "key {key} has run twice");
        assert!(one || other || wins(&old, &request).await, "key {key}");
        assert_eq!(replayed(&old, &request).await, "paid");
        assert_eq!(replayed(&new, &request).await, "paid");
    }
    let written = format!("select count(*) from {}.records where later is not null", place.schema);
    assert!(owner.count(written).await > 0, "the next version has written what this one does not know");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sweeps_what_the_other_has_written() {
    let place = Place::new().await;
    let mut owner = Session::open(&place.server).await;
    let old = place.store().await;
    migrate_to_next(&place, &mut owner).await;
    let new = next(&place).store().await;
    for (sweeper, first) in [(&old, 0), (&new, 1_000)] {
        for (writer, number) in [(&old, first), (&new, first + 1)] {
            apply(writer, insert(id(number), &completed(version(1, 1), PAST, PAST))).await;
            apply(writer, insert(id(number + 500), &in_progress(version(1, 1)))).await;
        }
        assert_eq!(sweeper.sweep(PAST.plus(Duration::from_secs(2)), 100).await.unwrap(), 2);
    }
    assert_eq!(owner.count(format!("select count(*) from {}.records", place.schema)).await, 4);
}

/// A record in a format that is not known yet may say anything, also that the operation has been done: it is held, and nobody runs
/// it. What the store itself has to know stands in columns, so it expires as every other.
#[tokio::test]
async fn a_record_of_a_newer_format_is_held_and_neither_run_nor_changed() {
    let place = Place::new().await;
    let mut owner = Session::open(&place.server).await;
    let (store, ledger) = (Arc::new(place.store().await), place.ledger().await);
    let newer = |open| {
        let record = if open { in_progress(version(9, 1)) } else { completed(version(9, 1), PAST, PAST) };
        let mut head = codec::encode(&record).to_vec();
        head[0] = codec::FORMAT + 1;
        head
    };
    for (key, open) in [(1, true), (2, false)] {
        let schema = &place.schema;
        let (id, attempt, head) = (literal(&request(key).id.0), literal(&[9; 16]), literal(&newer(open)));
        owner
            .say(format!(
                "insert into {schema}.records (id, attempt, revision, open, head) values ({id}, {attempt}, 1, {open}, {head})"
            ))
            .await;
        let error = ledger.look_up(&request(key), Duration::ZERO).await.unwrap_err();
        assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Unavailable, false));
        // Whoever claims all the same is told what stands, and has changed nothing.
        let claimed = apply(&*store, insert(request(key).id, &in_progress(version(1, 1)))).await;
        assert_eq!(claimed, Applied::Conflict(Some(newer(open).into())));
    }
    assert_eq!(store.open(None, 10).await.unwrap(), [(request(1).id, newer(true).into())]);
    let schema = &place.schema;
    let due = "update {}.records set expires_at = '1970-01-02', due_at = '1970-01-02' where not open";
    owner.say(due.replace("{}", schema)).await;
    // Whoever sweeps first: the ledger does so too.
    store.sweep(PAST.plus(Duration::from_secs(1)), 10).await.unwrap();
    owner
        .until(&format!("select count(*) from (select count(*) n from {schema}.records) c where n = 1"))
        .await;
    let heads = store.heads(&[request(1).id, request(2).id]).await.unwrap();
    assert_eq!(heads, [Some(newer(true).into()), None]);
}
