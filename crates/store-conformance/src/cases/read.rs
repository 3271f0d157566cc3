//! Reading: what was acknowledged is there.

use onlyonce_core::codec;

use super::{Ending, head, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{PAST, completed, id, in_progress, insert, update, version},
};

pub(super) async fn what_was_acknowledged_is_read_at_once(subject: &mut Subject) -> Ending {
    let store = subject.store();
    ensure!(head(&*store, id(1)).await?.is_none(), "an empty store has a row");
    let first = in_progress(version(1, 1));
    write(&*store, insert(id(1), &first)).await?;
    ensure!(head(&*store, id(1)).await? == Some(codec::encode(&first)), "the insert is not read");
    let second = completed(version(1, 2), PAST);
    write(&*store, update(id(1), version(1, 1), &second)).await?;
    ensure!(head(&*store, id(1)).await? == Some(codec::encode(&second)), "the update is not read");
    Ok(())
}

pub(super) async fn heads_answer_in_the_order_they_were_asked(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let record = |number| in_progress(version(number, 1));
    for number in [1, 2, 3] {
        write(&*store, insert(id(number.into()), &record(number))).await?;
    }
    let heads = store.heads(&[id(3), id(77), id(1), id(3), id(2)]).await?;
    let row = |number| Some(codec::encode(&record(number)));
    ensure!(heads == [row(3), None, row(1), row(3), row(2)], "the rows are {heads:?}");
    ensure!(store.heads(&[]).await?.is_empty(), "nothing was asked for, and something came");
    Ok(())
}
