//! What fjall's merges may remove, seen with merges that are forced.

use std::{sync::Arc, time::Duration};

use fjall::{AbstractTree, Keyspace};
use lsm_tree::compaction::PullDown;
use onlyonce_ledger::{
    clock::{DRIFT_LIMIT, wall},
    store::ErrorKind,
};

use super::*;
use crate::{
    clock,
    keyspaces::{CLOCK, Keyspaces},
};

/// Writes what is in memory to a file.
fn flush(keyspace: &Keyspace) {
    keyspace.rotate_memtable_and_wait().unwrap();
}

/// Merges the newest files into level 1, above what lies in the last.
fn merge_above_the_last_level(keyspace: &Keyspace) {
    keyspace.tree.compact(Arc::new(PullDown(0, 1)), u64::MAX).unwrap();
}

/// Merges everything into the last level.
fn merge_all(keyspace: &Keyspace) {
    keyspace.tree.major_compact(64 * 1024 * 1024, u64::MAX).unwrap();
}

/// An LSM tree keeps old versions of a row until a merge meets them all. Removing the newest without leaving a mark
/// lets *in progress* come back, and the key would be stuck, or free, depending on who looks.
#[tokio::test]
async fn an_expired_row_does_not_bring_back_the_versions_before_it() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let records = store.spaces().records.clone();
    apply(&store, write(id(1), &in_progress(1))).await;
    flush(&records);
    merge_all(&records);
    apply(&store, write(id(1), &in_progress(2))).await;
    flush(&records);
    apply(&store, write(id(1), &completed(3, PAST))).await;
    flush(&records);

    merge_above_the_last_level(&records);
    assert_eq!(
        head(&store, id(1)).await,
        None,
        "the merge has not removed the row, or brought back an older one"
    );
    merge_all(&records);
    assert_eq!(head(&store, id(1)).await, None);
    assert_eq!(records.len().unwrap(), 0);

    // The journal may still hold all of it. What it brings back is the newest, which has expired as before.
    drop((records, store));
    let store = open(place.path());
    let standing = head(&store, id(1)).await;
    assert!(standing.is_none_or(|row| row == codec::encode(&completed(3, PAST))));
    assert!(store.open(None, 8).await.unwrap().is_empty());
}

/// A merge is no compare-and-set: it may meet the expired row after a new claim has been written over it.
#[tokio::test]
async fn a_new_claim_over_an_expired_row_survives_every_merge() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let records = store.spaces().records.clone();
    apply(&store, write(id(1), &completed(1, PAST))).await;
    flush(&records);
    let claim = in_progress(2);
    apply(&store, write(id(1), &claim)).await;
    for step in [merge_above_the_last_level, flush, merge_above_the_last_level, merge_all] {
        step(&records);
        assert_eq!(head(&store, id(1)).await, Some(codec::encode(&claim)));
    }
    drop((records, store));
    assert_eq!(head(&open(place.path()), id(1)).await, Some(codec::encode(&claim)));
}

#[tokio::test]
async fn a_merge_removes_what_has_expired_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let Keyspaces { records, results, .. } = store.spaces().clone();
    let future = store.now().plus(Duration::from_secs(3600));
    let put = |until| Body::Put { bytes: Bytes::from_static(b"result"), until };
    let expired = Command { body: put(PAST), ..write(id(1), &completed(1, PAST)) };
    let tombstone = Command { body: put(PAST), ..write(id(2), &completed(1, future)) };
    let whole = Command { body: put(future), ..write(id(3), &completed(1, future)) };
    store.apply(vec![expired, tombstone, whole, write(id(4), &in_progress(1))]).await.unwrap();
    let mut newer = codec::encode(&completed(1, PAST)).to_vec();
    newer[0] = codec::FORMAT + 1;
    // No version writes that, and whoever reads it takes it for open.
    let mut open = codec::encode(&completed(1, PAST)).to_vec();
    open[1] |= 1;
    for (number, row) in [(5, &newer[..]), (6, &newer[..codec::PEEK_LEN - 1]), (7, b""), (8, &open)] {
        // As if opening had found them.
        store.known().add(id(number));
        records.insert(id(number).0, row).unwrap();
    }
    for keyspace in [&records, &results] {
        flush(keyspace);
        merge_all(keyspace);
    }
    assert_eq!(store.sweep(store.now(), 64).await.unwrap(), 0);
    let mut rows = Vec::new();
    for number in 1..=8 {
        rows.push((
            head(&store, id(number)).await.is_some(),
            store.body(id(number)).await.unwrap().is_some(),
        ));
    }
    let (kept, gone) = ((true, false), (false, false));
    let expected = [gone, kept, (true, true), kept, kept, kept, kept, kept];
    assert_eq!(
        rows, expected,
        "(row, result) of: expired, result expired, neither, open, three unreadable, open"
    );
}

#[tokio::test]
async fn nothing_expires_while_the_clock_is_in_doubt() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let expired = store.now();
    let result = Body::Put { bytes: Bytes::from_static(b"result"), until: expired };
    apply(&store, Command { body: result, ..write(id(1), &completed(1, expired)) }).await;
    drop(store);
    // As if the machine's clock had been an hour ahead when the time was last stored.
    let data = place.path().join("data");
    let ahead = clock::row_at(wall().plus(Duration::from_secs(3600)));
    fjall::Database::builder(&data)
        .open()
        .and_then(|db| db.keyspace("meta", || unreachable!("the store has made it"))?.insert(CLOCK, ahead))
        .unwrap();

    let store = open(place.path());
    assert!(store.now().since(wall()) > DRIFT_LIMIT);
    assert_eq!(store.sweep(store.now(), 64).await.unwrap(), 0);
    for keyspace in [&store.spaces().records, &store.spaces().results] {
        flush(keyspace);
        merge_all(keyspace);
    }
    assert!(head(&store, id(1)).await.is_some());
    assert!(store.body(id(1)).await.unwrap().is_some());
}

/// A row goes by what it was when it was read; the sweep asks the writer, who compares.
#[tokio::test]
async fn a_sweep_finds_every_expired_row_in_turn() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let future = store.now().plus(Duration::from_secs(3600));
    for number in 0..100 {
        let until = if number % 2 == 0 { PAST } else { future };
        apply(&store, write(id(number), &completed(1, until))).await;
    }
    let mut removed = 0;
    for _ in 0..10 {
        removed += store.sweep(store.now(), 7).await.unwrap();
    }
    assert_eq!(removed, 50);
    assert_eq!(store.spaces().records.len().unwrap(), 50);
    let conflict = store.apply(vec![write(id(0), &in_progress(2))]).await.unwrap();
    assert_eq!(conflict, [Applied::Conflict(None)]);
    assert_eq!(store.apply(vec![]).await.map_err(|error| error.kind()), Ok::<_, ErrorKind>(vec![]));
}
