//! Faults in how a write finds out whether it may replace a row.

use std::{collections::HashMap, sync::Mutex};

use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, Command, Reply},
};

use super::{force, head, one};

/// Completes, renews and releases by id alone.
pub(super) struct Unconditional;

impl Intercept for Unconditional {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                let stands = head(rows, command.id).await?.is_some();
                applied.push(match command.expect {
                    Some(_) if stands => force(rows, command).await?,
                    _ => one(rows, command).await?,
                });
            }
            Ok(applied)
        })
    }
}

/// Compares whose the row is, and not how often it was written since.
pub(super) struct AttemptOnly;

impl Intercept for AttemptOnly {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                let standing = head(rows, command.id).await?;
                let standing =
                    standing.and_then(|row| codec::peek(&row).ok()).map(|peek| peek.version.attempt);
                let same = command.expect.is_some_and(|expect| Some(expect.attempt) == standing);
                applied.push(if same { force(rows, command).await? } else { one(rows, command).await? });
            }
            Ok(applied)
        })
    }
}

/// Inserts where an update finds nothing.
pub(super) struct Upserts;

impl Intercept for Upserts {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for mut command in batch {
                if head(rows, command.id).await?.is_none() {
                    command.expect = None;
                }
                applied.push(one(rows, command).await?);
            }
            Ok(applied)
        })
    }
}

/// Acknowledges an update, and carries it out after the one that comes next.
#[derive(Default)]
pub(super) struct Reorders {
    late: Mutex<HashMap<RecordId, Command>>,
}

impl Intercept for Reorders {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let mut applied = Vec::new();
            for command in batch {
                let late = self.late.lock().expect("nobody panics with it").remove(&command.id);
                applied.push(match (late, command.expect) {
                    (Some(late), _) => {
                        force(rows, command).await?;
                        force(rows, late).await?
                    }
                    (None, None) => one(rows, command).await?,
                    (None, Some(_)) => {
                        self.late.lock().expect("nobody panics with it").insert(command.id, command);
                        Applied::Yes
                    }
                });
            }
            Ok(applied)
        })
    }
}
