//! What goes away by itself, and what never does.

use std::sync::Arc;

use bytes::Bytes;
use onlyonce_core::codec;
use onlyonce_ledger::store::Applied;

use super::{Ending, apply, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{PAST, completed, id, in_progress, insert, later, unknown, update, version, with_result},
};

/// Whatever has become of its lease: an operation that has not ended is never forgotten.
pub(super) async fn an_open_row_survives_every_sweep(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let rows = [in_progress(version(1, 1)), unknown(version(1, 1))];
    for (number, record) in (0..).zip(&rows) {
        write(&*store, insert(id(number), record)).await?;
    }
    for now in [later(PAST, 3600), store.now(), later(store.now(), 365 * 24 * 3600)] {
        store.sweep(now, 64).await?;
        for (number, record) in (0..).zip(&rows) {
            let standing = head(&*store, id(number)).await?;
            ensure!(standing == Some(codec::encode(record)), "{:?} was swept away", record.state.name());
        }
    }
    Ok(())
}

/// Not by a clock of its own: whoever sweeps knows what time it is for the ledger.
pub(super) async fn a_sweep_goes_by_the_time_it_is_given(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let record = completed(version(1, 1), later(PAST, 60));
    write(&*store, insert(id(1), &record)).await?;
    let removed = store.sweep(later(PAST, 59), 64).await?;
    let standing = head(&*store, id(1)).await?;
    ensure!(removed == 0 && standing.is_some(), "a row went before its time");
    let removed = store.sweep(later(PAST, 61), 64).await?;
    let standing = head(&*store, id(1)).await?;
    ensure!(removed == 1 && standing.is_none(), "a row that had expired stands");
    Ok(())
}

pub(super) async fn a_sweep_removes_a_row_with_its_result(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let until = later(store.now(), 3600);
    let result = Bytes::from_static(b"result");
    for (number, expires) in [(1, PAST), (2, until)] {
        let command = insert(id(number), &completed(version(1, 1), expires));
        write(&*store, with_result(command, &result, until)).await?;
    }
    let removed = store.sweep(later(PAST, 1), 64).await?;
    ensure!(removed == 1, "{removed} rows were removed");
    ensure!(head(&*store, id(1)).await?.is_none(), "the expired row stands");
    ensure!(store.body(id(1)).await?.is_none(), "its result is left");
    ensure!(head(&*store, id(2)).await?.is_some(), "a row that has not expired is gone");
    ensure!(store.body(id(2)).await? == Some(result), "its result is gone");
    let again = apply(&*store, insert(id(1), &in_progress(version(2, 1)))).await?;
    ensure!(again == Applied::Yes, "the key is not free after the sweep");
    Ok(())
}

pub(super) async fn a_sweep_keeps_to_its_limit(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let ids: Vec<_> = (0..10).map(|number| id(number * 1000)).collect();
    let record = completed(version(1, 1), PAST);
    store.apply(ids.iter().map(|id| insert(*id, &record)).collect()).await?;
    let mut left = ids.len();
    while left > 0 {
        let removed = store.sweep(later(PAST, 1), 4).await?;
        left = store.heads(&ids).await?.iter().flatten().count();
        ensure!(removed <= 4, "{removed} of at most 4 were removed");
        ensure!(removed > 0, "{left} expired rows stand, and nothing was removed");
    }
    Ok(())
}

/// A sweep that removes by id would take the new claim with it, and the operation would run twice.
pub(super) async fn a_new_claim_over_an_expired_row_survives_a_sweep(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let ids: Vec<_> = (0..64).map(id).collect();
    for round in 0..8 {
        let (old, new) = (version(round * 2, 1), version(round * 2 + 1, 2));
        let expired = completed(old, PAST);
        store.apply(ids.iter().map(|id| insert(*id, &expired)).collect()).await?;
        let sweep = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.sweep(later(PAST, 1), 64).await }
        });
        // The sweep may have read by now.
        tokio::task::yield_now().await;
        let claims = ids.iter().map(|id| update(*id, old, &in_progress(new))).collect();
        let applied = store.apply(claims).await?;
        sweep.await.expect("sweeping does not panic")?;
        for (id, applied) in ids.iter().zip(applied) {
            let standing = head(&*store, *id).await?;
            match applied {
                Applied::Yes => ensure!(standing.is_some(), "a claim that was acknowledged was swept away"),
                Applied::Conflict(found) => ensure!(found.is_none() && standing.is_none(), "found {found:?}"),
            }
        }
        // Free for the next round.
        let ended: Vec<_> =
            ids.iter().map(|id| update(*id, new, &completed(version(200, 3), PAST))).collect();
        store.apply(ended).await?;
        while store.sweep(later(PAST, 1), 64).await? > 0 {}
    }
    Ok(())
}
