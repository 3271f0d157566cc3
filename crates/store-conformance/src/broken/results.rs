//! Faults in what becomes of the bytes beside a row.

use std::{collections::HashMap, sync::Mutex};

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::{
    intercept::Intercept,
    memory::MemoryStore,
    store::{Applied, Body, Command, Reply, Store},
};

/// Removes the result with each write that does not bring one.
pub(super) struct DropsKept;

impl Intercept for DropsKept {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, mut batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        for command in &mut batch {
            if matches!(command.body, Body::Keep) {
                command.body = Body::Remove;
            }
        }
        rows.apply(batch)
    }
}

/// Keeps as much as fits a field of 64 KiB.
pub(super) struct Cuts;

impl Intercept for Cuts {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, mut batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        for command in &mut batch {
            if let Body::Put { bytes, .. } = &mut command.body {
                bytes.truncate(65_536);
            }
        }
        rows.apply(batch)
    }
}

type Results = Mutex<HashMap<RecordId, Bytes>>;

fn change(results: &Results, id: RecordId, body: &Body) {
    let mut results = results.lock().expect("nobody panics with it");
    match body {
        Body::Keep => {}
        Body::Put { bytes, .. } => _ = results.insert(id, bytes.clone()),
        Body::Remove => _ = results.remove(&id),
    }
}

fn read(results: &Results, id: RecordId) -> Reply<'_, Option<Bytes>> {
    Box::pin(async move { Ok(results.lock().expect("nobody panics with it").get(&id).cloned()) })
}

/// Writes the result to another place before it knows whether the row changes.
#[derive(Default)]
pub(super) struct WrittenApart(Results);

impl Intercept for WrittenApart {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        for command in &batch {
            change(&self.0, command.id, &command.body);
        }
        rows.apply(batch)
    }

    fn body<'a>(&'a self, _: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        read(&self.0, id)
    }
}

/// Keeps results in another place, where the sweep does not look.
#[derive(Default)]
pub(super) struct LeftBehind(Results);

impl Intercept for LeftBehind {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            let changes: Vec<_> = batch.iter().map(|command| (command.id, command.body.clone())).collect();
            let applied = rows.apply(batch).await?;
            for ((id, body), _) in
                changes.iter().zip(&applied).filter(|(_, applied)| **applied == Applied::Yes)
            {
                change(&self.0, *id, body);
            }
            Ok(applied)
        })
    }

    fn body<'a>(&'a self, _: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        read(&self.0, id)
    }
}
