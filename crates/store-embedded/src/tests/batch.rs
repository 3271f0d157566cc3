//! What the writer does with a batch.

use onlyonce_ledger::store::{BATCH_COMMANDS, ErrorKind};

use super::*;

/// The engine never sends two commands for one record at once. If it did, both would have one sequence number in
/// fjall, and which of the two stood would be chance.
#[tokio::test]
async fn a_second_command_for_a_record_sees_what_the_first_has_left() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let until = store.now().plus(std::time::Duration::from_secs(3600));
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
