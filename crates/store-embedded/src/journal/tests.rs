//! Journals that are torn at every byte of their tail, and journals that are damaged before it.

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::*;
use crate::OpenErrorKind;

/// A database directory whose journal holds three batches, and where each of them begins; the last offset is the end.
fn three_batches() -> (tempfile::TempDir, PathBuf, Vec<usize>) {
    let place = tempfile::tempdir().unwrap();
    let db =
        Database::builder(place.path()).journal_compression(fjall::CompressionType::None).open().unwrap();
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
    for number in 0..3_u8 {
        let mut batch = db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&keyspace, [number], vec![number + 1; 20_000]);
        batch.remove(&keyspace, [number + 100]);
        batch.commit().unwrap();
    }
    drop((keyspace, db));
    let journal = place.path().join("0.jnl");
    let bytes = fs::read(&journal).unwrap();
    let mut offsets = vec![0];
    while let Some(len) = batch(&without_unused(&bytes)[*offsets.last().unwrap()..]) {
        offsets.push(offsets.last().unwrap() + len);
    }
    assert_eq!(offsets.len(), 4, "fjall writes its journal as this module reads it");
    (place, journal, offsets)
}

/// With room made ahead of them all the while, across several pieces of it.
#[test]
fn rows_that_were_written_where_room_was_made_are_there_again() {
    let place = tempfile::tempdir().unwrap();
    let db = Database::builder(place.path()).open().unwrap();
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
    let mut ahead = Ahead::new(place.path().to_owned());
    for number in 0..40_u8 {
        ahead.of(100_000);
        let mut batch = db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&keyspace, [number], vec![number + 1; 100_000]);
        batch.commit().unwrap();
    }
    drop((keyspace, db));
    check(place.path()).unwrap();
    let db = Database::builder(place.path()).open().unwrap();
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
    for number in 0..40_u8 {
        assert_eq!(keyspace.get([number]).unwrap().unwrap()[..], vec![number + 1; 100_000]);
    }
}

fn change(journal: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(journal).unwrap();
    change(&mut bytes);
    fs::write(journal, bytes).unwrap();
}

fn rows(place: &Path) -> usize {
    let db = Database::builder(place).open().unwrap();
    db.keyspace("rows", KeyspaceCreateOptions::default).unwrap().len().unwrap()
}

#[test]
fn a_whole_journal_is_left_alone() {
    let (place, journal, _) = three_batches();
    let before = fs::metadata(&journal).unwrap().len();
    check(place.path()).unwrap();
    assert_eq!(fs::metadata(&journal).unwrap().len(), before);
    assert_eq!(rows(place.path()), 3);
}

/// Machines that lose power write pages in any order: the end of a batch may be there and its middle not. fjall alone
/// answers that with a checksum error and never opens again.
#[test]
fn a_torn_last_batch_goes_whatever_part_of_it_is_missing() {
    let (_, _, offsets) = three_batches();
    let (begin, end) = (offsets[2], offsets[3]);
    for missing in
        [begin + 8_000..begin + 12_096, begin..begin + 1, end - 2..end, end - 9..end - 1, begin + 5..end]
    {
        let (place, journal, _) = three_batches();
        change(&journal, |bytes| bytes[missing.clone()].fill(0));
        check(place.path()).unwrap();
        assert_eq!(rows(place.path()), 2, "without {missing:?}");
    }
}

#[test]
fn a_journal_that_ends_within_its_last_batch_keeps_those_before() {
    let (_, _, offsets) = three_batches();
    for len in [offsets[2] + 1, offsets[2] + 10_000, offsets[3] - 1] {
        let (place, journal, _) = three_batches();
        change(&journal, |bytes| bytes.truncate(len));
        check(place.path()).unwrap();
        assert_eq!(rows(place.path()), 2, "cut at {len}");
    }
}

/// fjall alone drops both acknowledged batches without a word where the flipped bit is in a tag.
#[test]
fn damage_before_a_whole_batch_is_refused() {
    let (_, _, offsets) = three_batches();
    let (begin, end) = (offsets[0], offsets[1]);
    for flipped in [begin, begin + 13, begin + 10_000, end - 1, end - 13] {
        let (place, journal, _) = three_batches();
        change(&journal, |bytes| bytes[flipped] ^= 0x40);
        let error = check(place.path()).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Damaged, "{flipped}: {error}");
        assert!(error.to_string().contains("0.jnl"), "{error}");
    }
}

#[test]
fn a_journal_that_was_followed_by_another_has_no_torn_tail() {
    let (place, journal, offsets) = three_batches();
    change(&journal, |bytes| bytes[offsets[2] + 10_000] ^= 1);
    fs::write(place.path().join("1.jnl"), b"").unwrap();
    assert_eq!(check(place.path()).unwrap_err().kind(), OpenErrorKind::Damaged);
}

#[test]
fn every_changed_byte_is_noticed_but_those_of_a_sequence_number() {
    let (_place, journal, offsets) = three_batches();
    let bytes = fs::read(journal).unwrap();
    let bytes = &bytes[..offsets[3]];
    let of_sequence_number = |at: &usize| offsets.iter().any(|begin| (begin + 5..begin + 13).contains(at));
    for at in
        (0..bytes.len()).step_by(211).chain(offsets[1]..offsets[1] + 40).filter(|at| !of_sequence_number(at))
    {
        let mut damaged = bytes.to_vec();
        damaged[at] = damaged[at].wrapping_add(1);
        assert!(first_bad(&damaged).is_some(), "byte {at}");
    }
}
