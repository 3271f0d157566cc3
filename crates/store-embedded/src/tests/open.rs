//! What is refused when a directory is opened, and what the refusal says.

use std::{fs, path::PathBuf};

use super::*;
use crate::OpenErrorKind;

fn refused(path: &Path, kind: OpenErrorKind) -> String {
    let error = EmbeddedStore::open(path, Options::default()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(&*path.to_string_lossy()), "it names the directory: {text}");
    text
}

/// A directory with one row in it.
async fn written() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger");
    apply(&open(&path), write(id(1), &in_progress(1))).await;
    (place, path)
}

#[tokio::test]
async fn a_second_instance_is_told_that_it_needs_a_shared_ledger() {
    let (_place, path) = written().await;
    let first = open(&path);
    let text = refused(&path, OpenErrorKind::Locked);
    assert!(text.contains("a ledger that both share"), "{text}");
    drop(first);
    open(&path);
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_not_touched() {
    let (_place, path) = written().await;
    let layout = path.join("data/layout");
    let newer = fs::read_to_string(&layout).unwrap().replace('1', "2");
    fs::write(&layout, &newer).unwrap();
    let journal = fs::read(path.join("data/0.jnl")).unwrap();
    let text = refused(&path, OpenErrorKind::Newer);
    assert!(text.contains("layout 2"), "{text}");
    assert_eq!(fs::read_to_string(&layout).unwrap(), newer);
    assert_eq!(fs::read(path.join("data/0.jnl")).unwrap(), journal);
}

/// fjall makes a keyspace anew that is not there, and skips the journal's rows for it.
#[tokio::test]
async fn a_part_that_is_missing_is_damage_and_not_made_anew() {
    for number in 1..=4 {
        let (_place, path) = written().await;
        fs::remove_dir_all(path.join(format!("data/keyspaces/{number}"))).unwrap();
        let text = refused(&path, OpenErrorKind::Damaged);
        assert!(text.contains("missing") && text.contains("backup"), "{text}");
    }
}

/// fjall panics over it, with its locks held.
#[tokio::test]
async fn a_folder_that_does_not_belong_there_is_damage() {
    let (_place, path) = written().await;
    fs::create_dir(path.join("data/keyspaces/no-number")).unwrap();
    refused(&path, OpenErrorKind::Damaged);
}

#[tokio::test]
async fn a_damaged_journal_is_refused() {
    let (_place, path) = written().await;
    apply(&open(&path), write(id(2), &in_progress(1))).await;
    let journal = path.join("data/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[20] ^= 1;
    fs::write(&journal, bytes).unwrap();
    refused(&path, OpenErrorKind::Damaged);
}

/// What a kill or a power cut leaves of a batch that was never acknowledged.
/// Without any, fjall would begin one whose rows it drops at the start after the next: each claim in it would be granted
/// again.
#[tokio::test]
async fn a_journal_that_is_missing_is_damage_and_not_made_anew() {
    let (_place, path) = written().await;
    let store = open(&path);
    store.spaces().records.rotate_memtable_and_wait().unwrap();
    drop(store);
    let journal = path.join("data/0.jnl");
    fs::remove_file(&journal).unwrap();
    let text = refused(&path, OpenErrorKind::Damaged);
    assert!(text.contains("no journal") && text.contains("backup"), "{text}");
    assert!(!journal.exists());
}

#[tokio::test]
async fn a_torn_tail_of_the_journal_costs_nothing_acknowledged() {
    let (_place, path) = written().await;
    // Opening cuts the unused rest off, so that the file ends with the last batch.
    apply(&open(&path), write(id(2), &in_progress(1))).await;
    let journal = path.join("data/0.jnl");
    let whole = fs::read(&journal).unwrap();
    for torn in [1, 14, 100, 200] {
        fs::write(&journal, [&whole[..], &whole[..torn]].concat()).unwrap();
        let store = open(&path);
        for number in [1, 2] {
            assert_eq!(head(&store, id(number)).await, Some(codec::encode(&in_progress(1))));
        }
        apply(&store, write(id(3), &in_progress(1))).await;
        drop(store);
        assert!(head(&open(&path), id(3)).await.is_some(), "what was written behind the tear is found again");
    }
}

#[tokio::test]
async fn a_database_without_its_marks_is_damaged() {
    for file in ["layout", "version"] {
        let (_place, path) = written().await;
        fs::write(path.join("data").join(file), b"").unwrap();
        refused(&path, OpenErrorKind::Damaged);
    }
}

#[tokio::test]
async fn the_open_rows_are_known_again() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    for number in 0..500 {
        apply(&store, write(id(number), &in_progress(1))).await;
        if number % 5 != 0 {
            apply(&store, write(id(number), &completed(2, Timestamp::from_ms(u64::MAX - 1)))).await;
        }
    }
    let before = store.open(None, 1000).await.unwrap();
    assert_eq!(store.open_rows().lock().unwrap().len(), 100, "completed records are not remembered");
    drop(store);
    let after = open(place.path()).open(None, 1000).await.unwrap();
    assert_eq!(before.len(), 100);
    assert_eq!(before, after);
}
