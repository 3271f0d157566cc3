//! What the next process finds.

use bytes::Bytes;
use onlyonce_core::codec;
use onlyonce_ledger::store::{Applied, Command};

use super::{Ending, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{completed, id, in_progress, insert, later, noise, update, version, with_note, with_result},
};

pub(super) async fn what_was_acknowledged_stands_after_reopening(subject: &mut Subject) -> Ending {
    let until = later(subject.store().now(), 3600);
    let done = completed(version(1, 2), until);
    for number in 0..4 {
        let store = subject.store();
        let claim = insert(id(number), &in_progress(version(1, 1)));
        write(&*store, with_note(claim, "claimed")).await?;
        let result = noise(number.into(), 1000);
        write(&*store, with_result(update(id(number), version(1, 1), &done), &result, until)).await?;
        write(&*store, insert(id(number + 100), &in_progress(version(1, 1)))).await?;
        let identity = Bytes::from(vec![1; usize::from(number) + 1]);
        let before = store.identity().await?;
        store.set_identity(before.as_deref(), identity.clone()).await?;
        drop(store);

        subject.reopen().await?;
        let store = subject.store();
        for number in 0..=number {
            let standing = head(&*store, id(number)).await?;
            ensure!(standing == Some(codec::encode(&done)), "row {number} is {standing:?}");
            ensure!(
                store.body(id(number)).await? == Some(noise(number.into(), 1000)),
                "result {number} differs"
            );
        }
        let open = store.open(None, 64).await?.len();
        ensure!(open == usize::from(number) + 1, "{open} rows are open");
        let audit = store.audit(None, 64).await?.len();
        ensure!(audit == usize::from(number) + 1, "the audit has {audit} entries");
        ensure!(store.identity().await? == Some(identity), "the identity differs");
    }
    Ok(())
}

/// A caller that goes away between any two steps, and a process that ends right then.
pub(super) async fn a_command_that_was_cut_off_is_there_whole_or_not_at_all(subject: &mut Subject) -> Ending {
    let until = later(subject.store().now(), 3600);
    let result = noise(1, 5000);
    let done = completed(version(1, 1), until);
    let command = |number| with_note(with_result(insert(id(number), &done), &result, until), "applied");
    for steps in 0..12 {
        let ids: Vec<_> = (0..4).map(|number| id(steps * 4 + number)).collect();
        let before = subject.store().audit(None, 64).await?.len();
        cut_off(subject, (0..4).map(|number| command(steps * 4 + number)).collect(), steps).await?;

        subject.reopen().await?;
        let store = subject.store();
        let mut there = 0;
        for id in ids {
            let (row, body) = (head(&*store, id).await?, store.body(id).await?);
            ensure!(row.is_some() == body.is_some(), "after {steps} steps: row {row:?}, result {body:?}");
            ensure!(
                row.is_none_or(|row| row == codec::encode(&done)),
                "after {steps} steps another row stands"
            );
            there += usize::from(body.is_some());
        }
        let entries = store.audit(None, 64).await?.len() - before;
        ensure!(entries == there, "after {steps} steps: {there} rows, {entries} audit entries");
    }
    Ok(())
}

/// Drops the call after so many chances to go on, unless it has been answered by then.
async fn cut_off(subject: &Subject, batch: Vec<Command>, steps: u16) -> Ending {
    let store = subject.store();
    let count = batch.len();
    let going_on = async {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        applied = store.apply(batch) => {
            let applied = applied?;
            ensure!(applied == vec![Applied::Yes; count], "the answers are {applied:?}");
        }
        () = going_on => {}
    }
    Ok(())
}

pub(super) async fn time_does_not_run_backwards_over_reopening(subject: &mut Subject) -> Ending {
    for number in 0..3 {
        let store = subject.store();
        write(&*store, insert(id(number), &in_progress(version(1, 1)))).await?;
        let before = store.now();
        drop(store);
        subject.reopen().await?;
        let after = subject.store().now();
        ensure!(after >= before, "{after} comes after {before}");
    }
    Ok(())
}
