//! Results: the bytes that are kept beside a row.

use bytes::Bytes;
use onlyonce_ledger::store::{Applied, Body, Command};

use super::{Ending, apply, write};
use crate::{
    place::Subject,
    report::ensure,
    rows::{completed, id, in_progress, insert, later, noise, update, version, with_result},
};

/// The largest result that a route keeps by default.
const LARGE: usize = 8 * 1024 * 1024;

pub(super) async fn a_result_is_put_kept_and_removed_as_the_command_says(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let until = later(store.now(), 3600);
    let done = |revision| completed(version(1, revision), until);
    write(&*store, insert(id(1), &in_progress(version(1, 1)))).await?;
    ensure!(store.body(id(1)).await?.is_none(), "there is a result before one was put");

    let (first, second) = (Bytes::from_static(b"first"), Bytes::new());
    write(&*store, with_result(update(id(1), version(1, 1), &done(2)), &first, until)).await?;
    ensure!(store.body(id(1)).await? == Some(first.clone()), "the result is not what was put");
    write(&*store, update(id(1), version(1, 2), &done(3))).await?;
    ensure!(store.body(id(1)).await? == Some(first), "the result was not kept");
    write(&*store, with_result(update(id(1), version(1, 3), &done(4)), &second, until)).await?;
    ensure!(store.body(id(1)).await? == Some(second), "an empty result did not replace the first");
    let remove = Command { body: Body::Remove, ..update(id(1), version(1, 4), &done(5)) };
    write(&*store, remove).await?;
    ensure!(store.body(id(1)).await?.is_none(), "the result was not removed");
    Ok(())
}

pub(super) async fn a_result_changes_only_with_its_row(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let until = later(store.now(), 3600);
    let (kept, other) = (Bytes::from_static(b"kept"), Bytes::from_static(b"other"));
    write(&*store, with_result(insert(id(1), &completed(version(1, 1), until)), &kept, until)).await?;
    let late = update(id(1), version(1, 9), &completed(version(1, 10), until));
    for command in [with_result(late.clone(), &other, until), Command { body: Body::Remove, ..late }] {
        let applied = apply(&*store, command).await?;
        ensure!(matches!(applied, Applied::Conflict(_)), "the answer is {applied:?}");
        ensure!(store.body(id(1)).await? == Some(kept.clone()), "a command that lost changed the result");
    }
    Ok(())
}

pub(super) async fn a_large_result_comes_back_byte_for_byte(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let until = later(store.now(), 3600);
    for (number, len) in [(1, LARGE), (2, LARGE - 1), (3, 1), (4, 65_536), (5, 65_537)] {
        let bytes = noise(u64::from(number), len);
        write(&*store, with_result(insert(id(number), &completed(version(1, 1), until)), &bytes, until))
            .await?;
        ensure!(store.body(id(number)).await? == Some(bytes), "{len} bytes do not come back");
    }
    Ok(())
}
