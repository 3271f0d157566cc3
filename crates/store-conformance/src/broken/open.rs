//! Faults in the page of open records.

use std::{collections::BTreeSet, sync::Mutex};

use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, Command, Reply, Row, Store},
};

/// Begins from the front each time.
pub(super) struct SamePage;

impl Intercept for SamePage {
    fn open<'a>(&'a self, rows: &'a MemoryStore, _: Option<RecordId>, limit: usize) -> Reply<'a, Vec<Row>> {
        rows.open(None, limit)
    }
}

/// Lists the open rows where all are asked for: a ledger that was moved by it has forgotten what was done.
pub(super) struct OpenAlone;

impl Intercept for OpenAlone {
    fn rows<'a>(
        &'a self,
        rows: &'a MemoryStore,
        after: Option<RecordId>,
        limit: usize,
    ) -> Reply<'a, Vec<Row>> {
        rows.open(after, limit)
    }
}

/// Takes a store whose operations have all ended for an empty one.
pub(super) struct EmptyWithoutOpen;

impl Intercept for EmptyWithoutOpen {
    fn is_empty<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, bool> {
        Box::pin(async move { Ok(rows.open(None, 1).await?.is_empty()) })
    }
}

/// Keeps an index of open records, and forgets to remove what is completed.
#[derive(Default)]
pub(super) struct StaleIndex {
    ids: Mutex<BTreeSet<RecordId>>,
}

impl Intercept for StaleIndex {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        let open = |command: &&Command| codec::peek(&command.head).is_ok_and(|peek| peek.open);
        self.ids
            .lock()
            .expect("nobody panics with it")
            .extend(batch.iter().filter(open).map(|command| command.id));
        rows.apply(batch)
    }

    fn open<'a>(
        &'a self,
        rows: &'a MemoryStore,
        after: Option<RecordId>,
        limit: usize,
    ) -> Reply<'a, Vec<Row>> {
        let ids = self.ids.lock().expect("nobody panics with it").clone();
        Box::pin(async move {
            let ids: Vec<_> = ids.into_iter().filter(|id| Some(*id) > after).take(limit).collect();
            let heads = rows.heads(&ids).await?;
            Ok(ids.into_iter().zip(heads).filter_map(|(id, row)| row.map(|row| (id, row))).collect())
        })
    }
}
