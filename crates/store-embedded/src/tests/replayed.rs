//! What was replayed is found again, and never after it was changed.

use onlyonce_core::record::TombstoneCause;

use super::*;

const LATER: Timestamp = Timestamp::from_ms(u64::MAX >> 1);
const RESULT: Bytes = Bytes::from_static(b"201 Created");

/// A completed record with a result, which nobody has asked for.
async fn complete(store: &EmbeddedStore, id: RecordId, result: Bytes) {
    apply(store, write(id, &in_progress(1))).await;
    let body = Body::Put { bytes: result, until: LATER };
    apply(store, Command { body, ..write(id, &completed(2, LATER)) }).await;
}

/// The next revision: an operator has removed the result.
fn forget(id: RecordId) -> Command {
    let state =
        State::Tombstone { at: PAST, status: None, cause: TombstoneCause::Forgotten, key_until: LATER };
    Command { body: Body::Remove, ..write(id, &Record { state, ..in_progress(3) }) }
}

#[tokio::test]
async fn who_was_replayed_once_is_found_without_a_search() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    complete(&store, id(1), RESULT).await;
    assert_eq!(store.replayed().row(id(1)), None, "nobody has repeated it");
    assert_eq!(store.body(id(1)).await.unwrap(), Some(RESULT));
    assert_eq!(store.replayed().row(id(1)), Some(codec::encode(&completed(2, LATER))));
    assert_eq!(store.body(id(1)).await.unwrap(), Some(RESULT));
    assert_eq!(head(&store, id(1)).await, Some(codec::encode(&completed(2, LATER))));
}

#[tokio::test]
async fn what_was_changed_is_not_replayed_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    complete(&store, id(1), RESULT).await;
    store.body(id(1)).await.unwrap();
    let forget = forget(id(1));
    apply(&store, forget.clone()).await;
    assert_eq!(head(&store, id(1)).await, Some(forget.head));
    assert_eq!(store.body(id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_swept_is_not_replayed() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    apply(&store, write(id(1), &in_progress(1))).await;
    let body = Body::Put { bytes: RESULT, until: PAST };
    apply(&store, Command { body, ..write(id(1), &completed(2, PAST)) }).await;
    store.body(id(1)).await.unwrap();
    assert_eq!(store.sweep(store.now(), 10).await.unwrap(), 1);
    assert_eq!(head(&store, id(1)).await, None);
    assert_eq!(store.body(id(1)).await.unwrap(), None);
}

/// A reader that has read the rows and is put to sleep, while an operator forgets the record, must not keep what it read:
/// every later repeat would get the forgotten result.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_a_write_is_not_kept_after_it() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    complete(&store, id(1), RESULT).await;
    let forget = forget(id(1));
    let row_before_it_is_forgotten = || {
        let row = store.spaces().record(id(1));
        let forgotten = apply(&store, forget.clone());
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(forgotten));
        row
    };
    let result = || store.spaces().result(id(1));
    let read = store.replayed().result(id(1), result, row_before_it_is_forgotten);
    assert_eq!(read.unwrap(), Some(RESULT), "as it was when it was read");
    assert_eq!(store.replayed().row(id(1)), None);
    assert_eq!(head(&store, id(1)).await, Some(forget.head));
    assert_eq!(store.body(id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn replays_take_no_more_memory_than_they_may() {
    const MAX: u64 = 256 * 1024;
    let place = tempfile::tempdir().unwrap();
    let options = Options { replay_cache: MAX, ..Options::default() };
    let store = EmbeddedStore::open(place.path(), options).unwrap();
    let large = vec![7; 100_000];
    for (number, result) in (0..60).map(|number| (number, vec![7; 10_000])).chain([(60, large)]) {
        complete(&store, RecordId([number; 16]), result.clone().into()).await;
        assert_eq!(store.body(RecordId([number; 16])).await.unwrap().unwrap(), result);
        assert!(store.replayed().weight() <= MAX);
    }
    assert!(store.replayed().weight() > MAX / 2);
    assert_eq!(store.replayed().row(RecordId([60; 16])), None, "one result would take the place of many");
}
