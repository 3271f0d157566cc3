//! Rows that cannot be read: written by a newer version, or damaged. To take one for absent would run it again.

use bytes::Bytes;
use onlyonce_core::codec;
use onlyonce_ledger::store::Applied;

use super::{Ending, apply, head};
use crate::{
    place::Subject,
    report::ensure,
    rows::{PAST, completed, id, in_progress, insert, later, update, version},
};

fn unreadable() -> [Bytes; 3] {
    let row = codec::encode(&completed(version(1, 1), PAST));
    let mut newer = row.to_vec();
    *newer.first_mut().expect("a row has a format") = codec::FORMAT + 1;
    [newer.into(), row.slice(..codec::PEEK_LEN - 1), Bytes::from_static(&[0; 64])]
}

pub(super) async fn an_unreadable_row_is_a_conflict_and_never_absent(subject: &mut Subject) -> Ending {
    for (number, row) in (0..).zip(unreadable()) {
        subject.plant(id(number), row.clone()).await;
        let store = subject.store();
        ensure!(head(&*store, id(number)).await? == Some(row.clone()), "it is not read as it is");
        for command in [
            insert(id(number), &in_progress(version(2, 1))),
            update(id(number), version(1, 1), &in_progress(version(1, 2))),
        ] {
            let applied = apply(&*store, command).await?;
            ensure!(applied == Applied::Conflict(Some(row.clone())), "the answer is {applied:?}");
        }
        ensure!(store.open(None, 8).await?.is_empty(), "it is listed as open");
    }
    Ok(())
}

pub(super) async fn an_unreadable_row_survives_every_sweep(subject: &mut Subject) -> Ending {
    for (number, row) in (0..).zip(unreadable()) {
        subject.plant(id(number), row.clone()).await;
        let store = subject.store();
        for now in [later(PAST, 1), store.now()] {
            store.sweep(now, 64).await?;
        }
        ensure!(head(&*store, id(number)).await? == Some(row), "it was swept away");
    }
    Ok(())
}
