//! Faults in the audit.

use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, AuditPage, Command, Reply, Store},
};

/// Reads the audit from its beginning.
pub(super) struct OldestFirst;

impl Intercept for OldestFirst {
    fn audit<'a>(&'a self, rows: &'a MemoryStore, before: Option<u64>, limit: usize) -> Reply<'a, AuditPage> {
        Box::pin(async move {
            let mut page = rows.audit(before, limit).await?;
            page.reverse();
            Ok(page)
        })
    }
}

/// Writes the entry of a command that was refused.
pub(super) struct WhateverHappens;

impl Intercept for WhateverHappens {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, mut batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            for entry in batch.iter_mut().filter_map(|command| command.note.take()) {
                rows.note(entry).await?;
            }
            rows.apply(batch).await
        })
    }
}
