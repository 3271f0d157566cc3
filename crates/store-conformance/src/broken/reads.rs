//! Faults in what is read.

use std::{collections::HashMap, sync::Mutex};

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Reply, Store},
};

/// Gives what it read first, for ever: a cache, or a replica that lags.
#[derive(Default)]
pub(super) struct Stale {
    seen: Mutex<HashMap<RecordId, Option<Bytes>>>,
}

impl Intercept for Stale {
    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let now = rows.heads(ids).await?;
            let mut seen = self.seen.lock().expect("nobody panics with it");
            Ok(ids.iter().zip(now).map(|(id, row)| seen.entry(*id).or_insert(row).clone()).collect())
        })
    }
}

/// Gives the rows that there are.
pub(super) struct LeavesOutAbsent;

impl Intercept for LeavesOutAbsent {
    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let mut heads = rows.heads(ids).await?;
            // One row that was asked for is always answered.
            if ids.len() > 1 {
                heads.retain(Option::is_some);
            }
            Ok(heads)
        })
    }
}

/// Takes a row that it cannot read for no row.
pub(super) struct UnreadableIsAbsent;

impl Intercept for UnreadableIsAbsent {
    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let heads = rows.heads(ids).await?;
            Ok(heads.into_iter().map(|row| row.filter(|row| codec::peek(row).is_ok())).collect())
        })
    }
}
