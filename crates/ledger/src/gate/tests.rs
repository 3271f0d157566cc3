//! What a process makes of the identity rows that it finds.

use onlyonce_core::Timestamp;

use super::*;
use crate::{
    identity::{self, Secret},
    memory::MemoryStore,
    store::{ErrorKind, Store},
};

fn secret(byte: u8) -> Secret {
    Secret::new(vec![byte; 32]).unwrap()
}

async fn row(store: &MemoryStore) -> Bytes {
    store.identity().await.unwrap().unwrap()
}

async fn made() -> (MemoryStore, Bytes) {
    let store = MemoryStore::new();
    identity::open(&store, &secret(1), false).await.unwrap();
    let row = row(&store).await;
    (store, row)
}

fn closed(row: &Bytes, closed: Closed) -> Bytes {
    Parts::read(row).unwrap().with(Some(closed))
}

fn refusal(gate: &Gate, at: Boot) -> &'static str {
    gate.passes_at(at).unwrap_err().detail()
}

#[tokio::test]
async fn claims_need_a_look_at_the_identity_that_is_not_old() {
    let (_, row) = made().await;
    let asked = Boot::now();
    let gate = Gate::new(row.clone(), true, asked);
    gate.passes_at(asked.plus(CONFIRMED_WITHIN)).unwrap();
    let late = asked.plus(CONFIRMED_WITHIN + Duration::from_millis(1));
    assert_eq!(refusal(&gate, late), "its identity was not confirmed lately");
    assert_eq!(gate.heard(late, Err(store::Error::new(ErrorKind::NotApplied, "gone"))), LOOK_AGAIN);
    assert!(gate.passes_at(late).is_err());
    gate.heard(late, Ok(Some(row.clone())));
    gate.passes_at(late.plus(CONFIRMED_WITHIN)).unwrap();

    let alone = Gate::new(row, false, asked);
    alone.passes_at(late).unwrap();
}

#[tokio::test]
async fn a_ledger_that_is_closed_under_it_takes_no_claims_until_it_is_open_again() {
    let (_, row) = made().await;
    let since = Timestamp::from_ms(7);
    for (by, said) in [
        (Closed::Exported { since }, "closed: it was exported"),
        (Closed::Importing { since, file: since, was_open: true }, "closed: an import into it has not ended"),
    ] {
        let gate = Gate::new(row.clone(), true, Boot::now());
        gate.heard(Boot::now(), Ok(Some(closed(&row, by))));
        assert_eq!((refusal(&gate, Boot::now()), gate.closed()), (said, Some(by)));
        gate.heard(Boot::now(), Ok(Some(row.clone())));
        gate.passes().unwrap();
        let alone = Gate::new(closed(&row, by), false, Boot::now());
        assert_eq!(refusal(&alone, Boot::now()), said, "also where nobody looks again");
    }
}

/// Two look at it. The slower answer, from before an export had closed it, came last, and opened it again.
#[tokio::test]
async fn an_older_look_says_nothing_against_a_later_one() {
    let (_, row) = made().await;
    let (_, other) = made().await;
    let earlier = Boot::now();
    let gate = Gate::new(row.clone(), true, earlier);
    let later = earlier.plus(Duration::from_secs(2));
    let exported = Closed::Exported { since: Timestamp::from_ms(7) };
    for (found, said) in
        [(closed(&row, exported), "closed: it was exported"), (other, "it is not the ledger that was opened")]
    {
        gate.heard(later, Ok(Some(found)));
        gate.heard(earlier, Ok(Some(row.clone())));
        assert_eq!(refusal(&gate, later), said);
    }
    gate.heard(later.plus(LOOK_EVERY), Ok(Some(row)));
    gate.passes_at(later.plus(CONFIRMED_WITHIN)).unwrap();
}

/// A server that was emptied, or took over without its data, looks like a new ledger: every key is free.
#[tokio::test]
async fn a_ledger_that_is_gone_or_another_one_takes_no_claims() {
    let (_, row) = made().await;
    let (_, other) = made().await;
    let mut newer = row.to_vec();
    newer[0] += 1;
    for found in [None, Some(other), Some(newer.into()), Some(row.slice(..20))] {
        let gate = Gate::new(row.clone(), true, Boot::now());
        gate.heard(Boot::now(), Ok(found));
        assert_eq!(refusal(&gate, Boot::now()), "it is not the ledger that was opened");
    }
}

#[tokio::test]
async fn a_restore_is_learnt_and_not_unlearnt() {
    let (store, opened) = made().await;
    let (_, other) = made().await;
    let gate = Gate::new(opened.clone(), true, Boot::now());
    assert_eq!(gate.forgotten_before(), None);
    let before = identity::restored(&store, None).await.unwrap().before;
    gate.heard(Boot::now(), Ok(Some(row(&store).await)));
    gate.passes().unwrap();
    for found in [Some(opened), Some(other), None] {
        assert_eq!(gate.forgotten_before(), Some(before));
        gate.heard(Boot::now(), Ok(found));
    }
    let again = Gate::new(row(&store).await, false, Boot::now());
    assert_eq!(again.forgotten_before(), Some(before), "also where nobody looks again");
}

#[tokio::test]
async fn another_secret_means_nothing_to_who_has_the_key() {
    let (store, opened) = made().await;
    let gate = Gate::new(opened.clone(), true, Boot::now());
    identity::rewrap(&store, &secret(1), &secret(2)).await.unwrap();
    let rewrapped = row(&store).await;
    assert_ne!(opened, rewrapped);
    gate.heard(Boot::now(), Ok(Some(rewrapped.clone())));
    gate.passes().unwrap();

    let exported = Closed::Exported { since: Timestamp::from_ms(7) };
    assert!(store.set_identity(Some(&rewrapped), closed(&rewrapped, exported)).await.unwrap());
    identity::rewrap(&store, &secret(2), &secret(3)).await.unwrap();
    gate.heard(Boot::now(), Ok(Some(row(&store).await)));
    assert_eq!(gate.closed(), Some(exported), "a closed ledger stays so");
}
