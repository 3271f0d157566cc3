//! The audit: every entry once, numbered, and none for a change that did not happen.

use bytes::Bytes;
use onlyonce_ledger::store::{Applied, Store};

use super::{Ending, apply, write};
use crate::{
    place::Subject,
    report::{Stop, ensure},
    rows::{id, in_progress, insert, update, version, with_note},
};

pub(super) async fn the_audit_reads_newest_first_page_by_page(subject: &mut Subject) -> Ending {
    let store = subject.store();
    ensure!(store.audit(None, 8).await?.is_empty(), "an empty store has an audit");
    let entries: Vec<_> = (0..10).map(|number| Bytes::from(format!("entry {number}"))).collect();
    for entry in &entries {
        store.note(entry.clone()).await?;
    }
    let newest: Vec<_> = entries.iter().rev().cloned().collect();
    for size in [1, 3, 10, 64] {
        let mut read = Vec::new();
        let mut before = None;
        while read.len() <= entries.len() {
            let page = store.audit(before, size).await?;
            ensure!(page.len() <= size, "a page of {size} holds {}", page.len());
            let Some((number, _)) = page.last() else { break };
            ensure!(
                before.is_none_or(|before| *number < before),
                "an entry's number is not below the page before"
            );
            before = Some(*number);
            read.extend(page.into_iter().map(|(_, entry)| entry));
        }
        ensure!(read == newest, "in pages of {size} the audit reads {read:?}");
    }
    Ok(())
}

pub(super) async fn an_entry_is_written_only_with_its_command(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let claim = insert(id(1), &in_progress(version(1, 1)));
    write(&*store, with_note(claim.clone(), "applied")).await?;
    for command in [claim, update(id(1), version(1, 9), &in_progress(version(1, 10)))] {
        let applied = apply(&*store, with_note(command, "not applied")).await?;
        ensure!(matches!(applied, Applied::Conflict(_)), "the answer is {applied:?}");
    }
    let entries = entries(&*store).await?;
    ensure!(entries == [Bytes::from_static(b"applied")], "the audit reads {entries:?}");
    Ok(())
}

async fn entries(store: &dyn Store) -> Result<Vec<Bytes>, Stop> {
    Ok(store.audit(None, 64).await?.into_iter().map(|(_, entry)| entry).collect())
}
