//! Batches: each command stands alone, and an error says what it means.

use onlyonce_core::codec;
use onlyonce_ledger::store::{Applied, BATCH_COMMANDS, ErrorKind};

use super::{Ending, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{id, in_progress, insert, update, version},
};

pub(super) async fn a_full_batch_is_applied(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let ids: Vec<_> = (0..BATCH_COMMANDS).filter_map(|number| u16::try_from(number).ok()).map(id).collect();
    let record = in_progress(version(1, 1));
    let applied = store.apply(ids.iter().map(|id| insert(*id, &record)).collect()).await?;
    ensure!(applied == vec![Applied::Yes; BATCH_COMMANDS], "not every command was applied");
    let heads = store.heads(&ids).await?;
    ensure!(heads == vec![Some(codec::encode(&record)); BATCH_COMMANDS], "not every row stands");
    Ok(())
}

pub(super) async fn a_conflict_hinders_no_other_command_of_its_batch(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let standing = in_progress(version(9, 1));
    write(&*store, insert(id(2), &standing)).await?;
    let record = in_progress(version(1, 1));
    let applied =
        store.apply(vec![insert(id(1), &record), insert(id(2), &record), insert(id(3), &record)]).await?;
    let conflict = Applied::Conflict(Some(codec::encode(&standing)));
    ensure!(applied == [Applied::Yes, conflict, Applied::Yes], "the answers are {applied:?}");
    let heads = store.heads(&[id(1), id(2), id(3)]).await?;
    let rows = [&record, &standing, &record].map(|record| Some(codec::encode(record)));
    ensure!(heads == rows, "the rows are {heads:?}");
    Ok(())
}

/// Also where the store sorts ids for itself.
pub(super) async fn answers_come_in_the_order_of_the_commands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let standing = |number| in_progress(version(number, 1));
    for number in [3, 5, 8] {
        write(&*store, insert(id(number.into()), &standing(number))).await?;
    }
    let order = [8, 1, 5, 9, 3, 2];
    let batch = order.map(|number| insert(id(number.into()), &in_progress(version(100, 1))));
    let applied = store.apply(batch.into()).await?;
    let expected = order.map(|number| match number {
        3 | 5 | 8 => Applied::Conflict(Some(codec::encode(&standing(number)))),
        _ => Applied::Yes,
    });
    ensure!(applied == expected, "the answers are {applied:?}");
    Ok(())
}

pub(super) async fn a_row_that_cannot_be_read_again_is_refused_with_its_whole_batch(
    subject: &mut Subject,
) -> Ending {
    let store = subject.store();
    let good = in_progress(version(1, 1));
    let mut newer = codec::encode(&good).to_vec();
    *newer.first_mut().expect("a row has a format") = codec::FORMAT + 1;
    for head in [newer.into(), codec::encode(&good).slice(..codec::PEEK_LEN - 1), bytes::Bytes::new()] {
        let bad = onlyonce_ledger::store::Command { head, ..insert(id(2), &good) };
        let refused = store.apply(vec![insert(id(1), &good), bad, insert(id(3), &good)]).await;
        let kind = refused.as_ref().map_err(onlyonce_ledger::store::Error::kind);
        ensure!(matches!(kind, Err(ErrorKind::Content)), "the answer is {refused:?}");
        let heads = store.heads(&[id(1), id(2), id(3)]).await?;
        ensure!(heads == [None, None, None], "something of it was applied: {heads:?}");
    }
    Ok(())
}

/// *Not applied* frees keys, so it must be true; a store that does not know says so.
pub(super) async fn a_write_that_was_not_applied_is_not_there(subject: &mut Subject) -> Ending {
    let store = subject.store();
    for number in 0..64 {
        match store.apply(vec![insert(id(number), &in_progress(version(1, 1)))]).await {
            Err(error) if error.kind() == ErrorKind::NotApplied => {
                let standing = head(&*store, id(number)).await?;
                ensure!(standing.is_none(), "a write that was answered NotApplied is there");
            }
            Ok(applied) => ensure!(applied == [Applied::Yes], "the answer is {applied:?}"),
            Err(error) => return Err(error.into()),
        }
    }
    // The same for a write over a row.
    let next = in_progress(version(1, 2));
    for number in 0..64 {
        let applied = store.apply(vec![update(id(number), version(1, 1), &next)]).await;
        let refused = matches!(&applied, Err(error) if error.kind() == ErrorKind::NotApplied);
        let stands = head(&*store, id(number)).await? == Some(codec::encode(&next));
        ensure!(!(refused && stands), "an update that was answered NotApplied is there");
    }
    Ok(())
}
