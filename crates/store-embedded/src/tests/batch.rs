//! What the writer does with a batch.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use onlyonce_ledger::store::{BATCH_COMMANDS, ErrorKind};

use super::*;

/// The engine never sends two commands for one record at once. If it did, both would have one sequence number in
/// fjall, and which of the two stood would be chance.
#[tokio::test]
async fn a_second_command_for_a_record_sees_what_the_first_has_left() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let until = store.now().plus(Duration::from_secs(3600));
    let body = Body::Put { bytes: Bytes::from_static(b"result"), until };
    let done = Command { body, ..write(id(1), &completed(2, until)) };
    let batch = vec![write(id(1), &in_progress(1)), write(id(1), &in_progress(1)), done];
    let applied = store.apply(batch).await.unwrap();
    let conflict = Applied::Conflict(Some(codec::encode(&in_progress(1))));
    assert_eq!(applied, [Applied::Yes, conflict, Applied::Yes]);
    drop(store);
    let store = open(place.path());
    assert_eq!(head(&store, id(1)).await, Some(codec::encode(&completed(2, until))));
    assert_eq!(store.body(id(1)).await.unwrap().as_deref(), Some(&b"result"[..]));
    assert!(store.open(None, 8).await.unwrap().is_empty());
}

/// Which rows are open is known from before the batch, and says nothing of a row that the batch has changed.
#[tokio::test]
async fn a_second_command_that_expects_what_the_first_has_replaced_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    apply(&store, write(id(1), &in_progress(1))).await;
    let until = store.now().plus(Duration::from_secs(3600));
    let done = completed(2, until);
    let applied = store.apply(vec![write(id(1), &done), write(id(1), &in_progress(2))]).await.unwrap();
    assert_eq!(applied, [Applied::Yes, Applied::Conflict(Some(codec::encode(&done)))]);
    assert_eq!(head(&store, id(1)).await, Some(codec::encode(&done)));
}

/// fjall holds a writer back until a full memtable is on the disk, and goes on waiting if its thread for that is gone.
#[tokio::test]
async fn a_write_that_hangs_in_a_failed_engine_is_answered() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    // Any lock that the writer needs stands for fjall's waiting.
    let ids = Arc::clone(store.open_rows());
    let (holds, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let _held = ids.lock().unwrap();
        holds.send(()).unwrap();
        released.recv().unwrap_err();
    });
    held.recv().unwrap();

    let mut pending = store.apply(vec![write(id(1), &in_progress(1))]);
    let waiting = tokio::time::timeout(Duration::from_millis(100), &mut pending).await;
    assert!(waiting.is_err(), "the writer hangs");
    store.health().fail("a thread of the engine has failed");
    let answer = tokio::time::timeout(Duration::from_secs(5), pending).await.expect("it is answered");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Poisoned);
    drop(release);
    holder.join().unwrap();
}

#[tokio::test]
async fn the_audit_keeps_the_newest_entries() {
    let place = tempfile::tempdir().unwrap();
    let keep = u64::try_from(BATCH_COMMANDS).unwrap();
    let options = Options { audit_entries: 1, ..Options::default() };
    for round in 0..3_u32 {
        let store = EmbeddedStore::open(place.path(), options.clone()).unwrap();
        let batch = (0..300).map(|number| Command {
            note: Some(Bytes::from(format!("{}", round * 300 + number))),
            ..write(id(round * 300 + number), &in_progress(1))
        });
        store.apply(batch.collect()).await.unwrap();
        let entries = store.audit(None, 2000).await.unwrap();
        let written = u64::from(round + 1) * 300;
        let numbers: Vec<_> = entries.iter().map(|(number, _)| *number).collect();
        let expected: Vec<_> = (written.saturating_sub(keep) + 1..=written).rev().collect();
        assert_eq!(numbers, expected, "they are numbered from 1 and without gaps, over restarts");
        assert_eq!(&*entries[0].1, (written - 1).to_string().as_bytes());
    }
}

#[tokio::test]
async fn a_result_that_fjall_would_cut_is_refused_for_its_content() {
    // Its pages are zeros that nobody touches.
    let bytes = Bytes::from(vec![0; (1 << 30) + 1]);
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let body = Body::Put { bytes, until: PAST };
    let refused = store.apply(vec![Command { body, ..write(id(1), &completed(1, PAST)) }]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Content);
    assert_eq!(head(&store, id(1)).await, None);
}
