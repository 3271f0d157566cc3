//! Faults in how a batch is written and answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, BATCH_COMMANDS, Command, Error, ErrorKind, Reply, Store},
};

use super::one;

/// Loses every fifth reply, and takes that for a refusal.
#[derive(Default)]
pub(super) struct NotAppliedForUnknown {
    batches: AtomicUsize,
}

impl Intercept for NotAppliedForUnknown {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let applied = rows.apply(batch).await?;
            match self.batches.fetch_add(1, Ordering::Relaxed) % 5 {
                4 => Err(Error::new(ErrorKind::NotApplied, "connection reset")),
                _ => Ok(applied),
            }
        })
    }
}

/// Writes half of what a batch may hold, and answers for all of it.
pub(super) struct Cuts;

impl Intercept for Cuts {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, mut batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let rest = batch.split_off(batch.len().min(BATCH_COMMANDS / 2));
            let mut applied = rows.apply(batch).await?;
            applied.extend(rest.iter().map(|_| Applied::Yes));
            Ok(applied)
        })
    }
}

/// One transaction for all: a command that conflicts takes the others with it.
pub(super) struct AllOrNothing;

impl Intercept for AllOrNothing {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let ids: Vec<_> = batch.iter().map(|command| command.id).collect();
            let standing = rows.heads(&ids).await?;
            let inserts_over =
                |(command, row): (&Command, &Option<_>)| command.expect.is_none() && row.is_some();
            if batch.iter().zip(&standing).any(inserts_over) {
                return Ok(standing.into_iter().map(Applied::Conflict).collect());
            }
            rows.apply(batch).await
        })
    }
}

/// Sorts the commands, against deadlocks, and answers in that order.
pub(super) struct SortsAnswers;

impl Intercept for SortsAnswers {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, mut batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        batch.sort_by_key(|command| command.id);
        rows.apply(batch)
    }
}

/// Writes command by command, and ends at the first error.
pub(super) struct OneByOne;

impl Intercept for OneByOne {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                applied.push(one(rows, command).await?);
            }
            Ok(applied)
        })
    }
}
