//! Connections that are all at work: who waits for whom, and what he is told.
//!
//! What keeps them at work is a function in the database that waits for a lock of this test's, without locking any row.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_ledger::store::{Body, Command, ErrorKind, Store};
use onlyonce_store_postgres::PostgresStore;

use crate::{
    begun::Place,
    rows::{PAST, Session, apply, completed, id, in_progress, insert, version},
};

/// A schema in which something waits, and the session that it waits for.
struct Held {
    place: Place,
    holder: Session,
    beside: Session,
}

impl Held {
    /// With a function that waits.
    async fn new() -> Self {
        let place = Place::new().await;
        let (mut holder, beside) = (Session::open(&place.server).await, Session::open(&place.server).await);
        let schema = &place.schema;
        holder
            .say(format!(
                "select pg_advisory_lock(hashtext('{schema}'));
                 create function {schema}.waits(result bytea) returns bytea language plpgsql stable as $$ begin
                   while not pg_try_advisory_xact_lock_shared(hashtext('{schema}')) loop
                     perform pg_sleep(0.005);
                   end loop;
                   return result;
                 end $$"
            ))
            .await;
        Self { place, holder, beside }
    }

    /// Lets everybody go on.
    async fn let_go(&mut self) {
        self.holder.say("select pg_advisory_unlock_all()").await;
    }

    /// Waits until so many statements with these words wait.
    async fn until(&mut self, count: u8, words: &str) {
        let waiting = format!(
            "select count(*) from (
               select count(*) n from pg_stat_activity
               where wait_event = 'PgSleep' and query like '%{}%' and query like '%{words}%'
             ) c where n >= {count}",
            self.place.schema
        );
        self.beside.until(&waiting).await;
    }
}

async fn with_results(store: &PostgresStore, count: u32) {
    let until = store.now().plus(Duration::from_secs(3600));
    for number in 0..count {
        let body = Body::Put { bytes: Bytes::from_static(b"paid"), until };
        apply(store, Command { body, ..insert(id(number), &completed(version(1, 1), until, until)) }).await;
    }
}

/// The gate of claims looks at the identity, and closes ten seconds after the last look that succeeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_identity_is_read_and_keys_are_claimed_while_a_sweep_hangs() {
    let mut held = Held::new().await;
    let store = Arc::new(held.place.store().await);
    assert!(store.set_identity(None, "it".into()).await.unwrap());
    apply(&*store, insert(id(1), &completed(version(1, 1), PAST, PAST))).await;
    let schema = &held.place.schema;
    let trigger = format!(
        "create function {schema}.on_delete() returns trigger language plpgsql as $$ begin
           perform {schema}.waits(null); return old;
         end $$;
         create trigger waits before delete on {schema}.records for each row execute function {schema}.on_delete()"
    );
    held.holder.say(trigger).await;
    let sweeping = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.sweep(PAST.plus(Duration::from_secs(1)), 10).await }
    });
    held.until(1, "DELETE").await;
    assert_eq!(store.identity().await.unwrap(), Some("it".into()));
    apply(&*store, insert(id(2), &in_progress(version(1, 1)))).await;
    assert!(store.heads(&[id(2)]).await.unwrap()[0].is_some());
    assert!(!sweeping.is_finished());
    held.let_go().await;
    assert_eq!(sweeping.await.unwrap().unwrap(), 1);
}

/// Results may be large, and whoever asks for many of them must not keep others from finding out what stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_for_results_that_are_all_lent_are_a_bound_and_hold_up_no_look_up() {
    let mut held = Held::new().await;
    let store = Arc::new(held.place.store().await);
    with_results(&store, 1).await;
    let schema = &held.place.schema;
    let slow = format!(
        "alter table {schema}.records rename to kept;
         create view {schema}.records as select id, head, {schema}.waits(result) as result from {schema}.kept"
    );
    held.holder.say(slow).await;
    let result = || {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.body(id(0)).await })
    };
    let lent = [result(), result()];
    held.until(2, "result").await;
    let (third, fourth) = (result(), result());
    assert!(store.heads(&[id(0)]).await.unwrap()[0].is_some());
    for waiting in [third, fourth] {
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_full()), (ErrorKind::NotApplied, true));
    }
    held.let_go().await;
    for result in lent.into_iter().chain([result(), result()]) {
        assert_eq!(result.await.unwrap().unwrap(), Some("paid".into()));
    }
}
