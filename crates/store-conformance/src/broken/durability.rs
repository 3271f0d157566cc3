//! Faults that show when the next process looks.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, Body, Command, Reply, Store},
};

use super::one;

/// Acknowledges first and syncs later: what was written last is gone with the process.
pub(super) struct LosesTheLastBatch {
    rows: Arc<MemoryStore>,
    /// What stood before the last batch.
    before: Mutex<Vec<(RecordId, Option<Bytes>)>>,
}

impl LosesTheLastBatch {
    pub(super) fn over(rows: &Arc<MemoryStore>) -> Self {
        Self { rows: Arc::clone(rows), before: Mutex::default() }
    }
}

impl Intercept for LosesTheLastBatch {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let ids: Vec<_> = batch.iter().map(|command| command.id).collect();
            let heads = rows.heads(&ids).await?;
            *self.before.lock().expect("nobody panics with it") = ids.into_iter().zip(heads).collect();
            rows.apply(batch).await
        })
    }
}

impl Drop for LosesTheLastBatch {
    fn drop(&mut self) {
        for (id, row) in self.before.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.rows.plant(id, row);
        }
    }
}

/// Writes the row, and then its result and its audit entry.
pub(super) struct InParts;

impl Intercept for InParts {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                let row = Command { body: Body::Keep, note: None, ..command.clone() };
                let first = one(rows, row).await?;
                if first == Applied::Yes {
                    tokio::task::yield_now().await;
                    let expect = codec::peek(&command.head).ok().map(|peek| peek.version);
                    one(rows, Command { expect, ..command }).await?;
                }
                applied.push(first);
            }
            Ok(applied)
        })
    }
}
