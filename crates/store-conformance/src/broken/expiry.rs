//! Faults in what goes away by itself.

use onlyonce_core::{RecordId, Timestamp, codec};
use onlyonce_ledger::{
    clock::wall,
    intercept::Intercept,
    memory::MemoryStore,
    store::{Reply, Store},
};

use super::head;
use crate::rows;

/// Ids that the cases use; what these faults look through, since the in-memory store lists only open rows.
fn ids() -> impl Iterator<Item = RecordId> {
    (0..64).map(rows::id)
}

/// Expires by the machine's clock, whatever the ledger's says.
pub(super) struct ByWallClock;

impl Intercept for ByWallClock {
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, _: Timestamp, limit: usize) -> Reply<'a, usize> {
        rows.sweep(wall(), limit)
    }
}

/// Gives a claim a time to live, so that it frees the key of an operation whose process is gone.
pub(super) struct OpenRowsExpire;

impl Intercept for OpenRowsExpire {
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, now: Timestamp, limit: usize) -> Reply<'a, usize> {
        Box::pin(async move {
            for (id, _) in rows.open(None, limit).await? {
                rows.plant(id, None);
            }
            rows.sweep(now, limit).await
        })
    }
}

/// Sweeps away what it cannot read.
pub(super) struct SweepsUnreadable;

impl Intercept for SweepsUnreadable {
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, now: Timestamp, limit: usize) -> Reply<'a, usize> {
        Box::pin(async move {
            for id in ids() {
                if head(rows, id).await?.is_some_and(|row| codec::peek(&row).is_err()) {
                    rows.plant(id, None);
                }
            }
            rows.sweep(now, limit).await
        })
    }
}

/// Sweeps everything at once.
pub(super) struct NoLimit;

impl Intercept for NoLimit {
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, now: Timestamp, _: usize) -> Reply<'a, usize> {
        rows.sweep(now, usize::MAX)
    }
}

/// Reads which rows have expired, and removes them in a second step, by id.
pub(super) struct ById;

impl Intercept for ById {
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, now: Timestamp, _: usize) -> Reply<'a, usize> {
        Box::pin(async move {
            let mut expired = Vec::new();
            for id in ids() {
                let row = head(rows, id).await?;
                let end = row.and_then(|row| codec::peek(&row).ok()).and_then(|peek| peek.expires_at);
                expired.extend(end.filter(|end| *end <= now).map(|_| id));
            }
            tokio::task::yield_now().await;
            for id in &expired {
                rows.plant(*id, None);
            }
            Ok(expired.len())
        })
    }
}
