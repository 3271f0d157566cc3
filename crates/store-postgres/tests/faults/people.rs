//! What people find in the table, and what its indexes cost.

use std::time::Duration;

use onlyonce_core::{OperationRef, Timestamp, record::ReleaseCause};

use crate::{
    begun::{CREATED, Place, record, request, run},
    rows::{PAST, Session, apply, completed, id, in_progress, insert, update, version},
};

#[tokio::test]
async fn columns_repeat_what_the_record_says() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    let mut beside = Session::open(&place.server).await;
    let attempt = run(&ledger, &request(1)).await;
    let schema = &place.schema;
    let all = format!(
        "select concat_ws(' ', state, open, fence, revision, attempt is not null, lease_until > clock_timestamp(), \
         expires_at is null, status, route, octet_length(fingerprint)) from {schema}.records"
    );
    assert_eq!(beside.text(&all).await, "in-progress t 1 1 t t t POST /transfers 32");
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(beside.text(&all).await, "completed f 1 2 t f 201 POST /transfers 32");
    let due = format!("select concat_ws(' ', result is not null, due_at < expires_at) from {schema}.records");
    assert_eq!(beside.text(&due).await, "t t", "the result goes first");
    let again = run(&ledger, &request(2)).await;
    again.release(ReleaseCause::NotSent, None).await.unwrap();
    let released =
        format!("select count(*) from {schema}.records where state = 'released' and due_at = expires_at");
    assert_eq!(beside.count(&released).await, 1);
}

/// The functions for people speak the names that answers and logs show.
#[tokio::test]
async fn an_operation_is_found_by_its_public_name() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    let mut beside = Session::open(&place.server).await;
    let schema = &place.schema;
    for key in 0..20 {
        drop(run(&ledger, &request(key)).await);
        let reference = record(&ledger, &request(key)).await.operation_ref(request(key).id);
        let found = format!(
            "select {schema}.operation_ref(id, first_claim_at) from {schema}.records where id = {schema}.record_of('{reference}')"
        );
        assert_eq!(beside.text(found).await, reference.to_string());
    }
    let late = OperationRef { record: id(7), first_claim_at: Timestamp::from_ms(1_795_428_727_999) };
    let named = format!(
        "select {schema}.operation_ref({}, to_timestamp(1795428727.999))",
        crate::rows::literal(&late.record.0)
    );
    assert_eq!(beside.text(named).await, late.to_string());
}

/// A route's name is for people, and PostgreSQL's text has no zero byte: the record is written all the same.
#[tokio::test]
async fn a_name_that_the_server_does_not_take_refuses_no_record() {
    let place = Place::new().await;
    let store = place.store().await;
    let mut record = in_progress(version(1, 1));
    record.route = "POST /a\0b".to_owned();
    apply(&store, insert(id(1), &record)).await;
    let mut beside = Session::open(&place.server).await;
    let route = beside.text(format!("select route from {}.records", place.schema)).await;
    assert_eq!(route, "POST /a\u{fffd}b");
    let endless =
        completed(version(1, 2), Timestamp::from_ms(u64::MAX - 1), Timestamp::from_ms(u64::MAX - 1));
    apply(&store, update(id(1), version(1, 1), &endless)).await;
}

/// Renewals are written every few seconds for every running operation; one that is not HOT writes to all indexes.
#[tokio::test]
async fn renewals_touch_no_index() {
    let place = Place::new().await;
    let store = place.store().await;
    for number in 0..50 {
        apply(&store, insert(id(number), &in_progress(version(1, 1)))).await;
    }
    for revision in 1..=4 {
        for number in 0..50 {
            let next = in_progress(version(1, revision + 1));
            apply(&store, update(id(number), version(1, revision), &next)).await;
        }
    }
    drop(store);
    let mut beside = Session::open(&place.server).await;
    let counted = |what: &str| {
        format!(
            "select coalesce(sum({what}), 0)::bigint from pg_stat_user_tables where schemaname = '{}' and relname = 'records'",
            place.schema
        )
    };
    beside.until(&format!("select count(*) from ({}) c (n) where n >= 200", counted("n_tup_upd"))).await;
    assert_eq!(beside.count(counted("n_tup_upd - n_tup_hot_upd")).await, 0);
}

#[tokio::test]
async fn the_audit_is_bounded() {
    let place = Place::new().await;
    let store = place.store().await;
    let mut beside = Session::open(&place.server).await;
    let schema = &place.schema;
    beside
        .say(format!("insert into {schema}.audit (entry) select '\\x00' from generate_series(1, 10100)"))
        .await;
    use onlyonce_ledger::store::Store;
    store.note("last".into()).await.unwrap();
    store.sweep(PAST.plus(Duration::from_secs(1)), 10).await.unwrap();
    assert_eq!(beside.count(format!("select count(*) from {schema}.audit")).await, 10_000);
    assert_eq!(store.audit(None, 1).await.unwrap()[0].1, "last");
}
