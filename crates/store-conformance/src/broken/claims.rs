//! Faults in how a claim, or the identity, is won.

use bytes::Bytes;
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, Command, Reply, Store},
};

use super::{force, head, one};

/// Looks whether a row stands, and inserts in a second step: whoever comes in between is overwritten.
pub(super) struct SelectThenInsert;

impl Intercept for SelectThenInsert {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                applied.push(match (command.expect, head(rows, command.id).await?) {
                    (None, Some(standing)) => Applied::Conflict(Some(standing)),
                    (None, None) => {
                        tokio::task::yield_now().await;
                        force(rows, command).await?
                    }
                    (Some(_), _) => one(rows, command).await?,
                });
            }
            Ok(applied)
        })
    }
}

/// Inserts over a row that stands.
pub(super) struct Overwrites;

impl Intercept for Overwrites {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                applied.push(match command.expect {
                    None => force(rows, command).await?,
                    Some(_) => one(rows, command).await?,
                });
            }
            Ok(applied)
        })
    }
}

/// Says of an insert that it lost, and not to what.
pub(super) struct HidesTheRow;

impl Intercept for HidesTheRow {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let applied = rows.apply(batch).await?;
            let hide = |applied| if applied == Applied::Yes { Applied::Yes } else { Applied::Conflict(None) };
            Ok(applied.into_iter().map(hide).collect())
        })
    }
}

/// Writes the identity whatever stands.
pub(super) struct IdentityOverwritten;

impl Intercept for IdentityOverwritten {
    fn set_identity<'a>(&'a self, rows: &'a MemoryStore, _: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        Box::pin(async move {
            let standing = rows.identity().await?;
            rows.set_identity(standing.as_deref(), row).await
        })
    }
}

/// Compares the identity, and writes it in a second step.
pub(super) struct IdentitySelectThenInsert;

impl Intercept for IdentitySelectThenInsert {
    fn set_identity<'a>(
        &'a self,
        rows: &'a MemoryStore,
        expect: Option<&'a [u8]>,
        row: Bytes,
    ) -> Reply<'a, bool> {
        Box::pin(async move {
            if rows.identity().await?.as_deref() != expect {
                return Ok(false);
            }
            tokio::task::yield_now().await;
            let standing = rows.identity().await?;
            rows.set_identity(standing.as_deref(), row).await
        })
    }
}
