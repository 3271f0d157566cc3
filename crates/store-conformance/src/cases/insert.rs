//! Writing where no row stands: how a claim is won.

use onlyonce_core::codec;
use onlyonce_ledger::store::Applied;

use super::{Ending, apply, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{PAST, completed, id, in_progress, insert, version},
};

pub(super) async fn an_insert_applies_only_where_no_row_stands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let first = in_progress(version(1, 1));
    write(&*store, insert(id(1), &first)).await?;
    for second in [in_progress(version(2, 1)), completed(version(2, 1), PAST)] {
        let applied = apply(&*store, insert(id(1), &second)).await?;
        ensure!(matches!(applied, Applied::Conflict(_)), "a second insert was applied");
    }
    let standing = head(&*store, id(1)).await?;
    ensure!(standing == Some(codec::encode(&first)), "the first insert does not stand: {standing:?}");
    Ok(())
}

/// A fresh claim costs one trip because of this.
pub(super) async fn a_conflict_answers_with_the_row_that_stands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let first = in_progress(version(1, 1));
    write(&*store, insert(id(1), &first)).await?;
    let applied = apply(&*store, insert(id(1), &in_progress(version(2, 1)))).await?;
    ensure!(applied == Applied::Conflict(Some(codec::encode(&first))), "the answer is {applied:?}");
    Ok(())
}

pub(super) async fn of_64_concurrent_inserts_of_one_record_one_applies(subject: &mut Subject) -> Ending {
    let store = subject.store();
    for round in 0..8 {
        let inserts: Vec<_> = (0..64)
            .map(|attempt| {
                let store = std::sync::Arc::clone(&store);
                let command = insert(id(round), &in_progress(version(attempt, 1)));
                tokio::spawn(async move { store.apply(vec![command]).await })
            })
            .collect();
        let mut won = Vec::new();
        for (attempt, task) in (0..64).zip(inserts) {
            let applied = task.await.expect("applying does not panic")?;
            if applied == [Applied::Yes] {
                won.push(attempt);
            }
        }
        let [winner] = *won else { return Err(crate::report::Stop::Failed(format!("applied: {won:?}"))) };
        let standing = head(&*store, id(round)).await?;
        let expected = codec::encode(&in_progress(version(winner, 1)));
        ensure!(standing == Some(expected), "another row than the winner's stands");
    }
    Ok(())
}
