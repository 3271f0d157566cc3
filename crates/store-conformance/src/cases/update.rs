//! Writing where a row stands: nobody overwrites what he has not seen.

use onlyonce_core::codec;
use onlyonce_ledger::store::Applied;

use super::{Ending, apply, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{PAST, completed, id, in_progress, insert, unknown, update, version},
};

/// A version is attempt and revision: a renewal by the same attempt changes it too.
pub(super) async fn an_update_needs_the_exact_version(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let standing = in_progress(version(1, 2));
    write(&*store, insert(id(1), &standing)).await?;
    for other in [version(1, 1), version(1, 3), version(2, 2)] {
        let applied = apply(&*store, update(id(1), other, &unknown(version(1, 3)))).await?;
        let conflict = Applied::Conflict(Some(codec::encode(&standing)));
        ensure!(applied == conflict, "an update of {other:?} was answered {applied:?}");
    }
    let next = unknown(version(1, 3));
    write(&*store, update(id(1), version(1, 2), &next)).await?;
    ensure!(head(&*store, id(1)).await? == Some(codec::encode(&next)), "the update does not stand");
    Ok(())
}

pub(super) async fn an_update_of_an_absent_row_conflicts(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let applied = apply(&*store, update(id(1), version(1, 1), &in_progress(version(1, 2)))).await?;
    ensure!(applied == Applied::Conflict(None), "the answer is {applied:?}");
    ensure!(head(&*store, id(1)).await?.is_none(), "a row stands");
    Ok(())
}

/// A heartbeat that was overtaken by the completion of its own attempt.
pub(super) async fn a_renewal_after_completion_loses(subject: &mut Subject) -> Ending {
    let store = subject.store();
    write(&*store, insert(id(1), &in_progress(version(1, 1)))).await?;
    let result = completed(version(1, 2), PAST);
    write(&*store, update(id(1), version(1, 1), &result)).await?;
    let renewal = update(id(1), version(1, 1), &in_progress(version(1, 2)));
    let applied = apply(&*store, renewal).await?;
    ensure!(
        applied == Applied::Conflict(Some(codec::encode(&result))),
        "the renewal was answered {applied:?}"
    );
    ensure!(head(&*store, id(1)).await? == Some(codec::encode(&result)), "the completion does not stand");
    Ok(())
}

/// The commands of one record take effect in the order in which they were acknowledged.
pub(super) async fn the_last_acknowledged_write_of_a_record_stands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    for record in 0..16 {
        write(&*store, insert(id(record), &in_progress(version(1, 1)))).await?;
        write(&*store, update(id(record), version(1, 1), &in_progress(version(1, 2)))).await?;
        let last = completed(version(1, 3), PAST);
        write(&*store, update(id(record), version(1, 2), &last)).await?;
        let standing = head(&*store, id(record)).await?;
        ensure!(standing == Some(codec::encode(&last)), "an earlier write stands over the last");
    }
    Ok(())
}
