//! The in-memory store: for tests and trials, and the reference for what a store does.
//!
//! Everything is lost with the process. It keeps each rule of [`crate::store`] in the plainest way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, codec};

use crate::{
    clock::ProcessClock,
    store::{Applied, AuditPage, Body, Capabilities, Command, Error, ErrorKind, Reply, Room, Row, Store},
};

/// Most audit entries that are kept; the oldest go first.
pub const AUDIT_ENTRIES: usize = 10_000;

/// A store that forgets everything with the process.
#[derive(Debug)]
pub struct MemoryStore {
    clock: ProcessClock,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    identity: Option<Bytes>,
    rows: BTreeMap<RecordId, Bytes>,
    bodies: BTreeMap<RecordId, Bytes>,
    audit: BTreeMap<u64, Bytes>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { clock: ProcessClock::start(Timestamp::default()), held: Mutex::default() }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts bytes where a record's row is kept, or removes it, without comparing or checking anything: for tests of
    /// what happens with a row that cannot be read.
    pub fn plant(&self, id: RecordId, row: Option<Bytes>) {
        let mut held = self.held();
        match row {
            Some(row) => held.rows.insert(id, row),
            None => held.rows.remove(&id),
        };
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change below is complete or not begun when a panic could strike, so the data stay sound.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { name: "memory", durable: false, shared: false }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn room(&self, _in_flight_bytes: u64) -> Room {
        Room::Enough
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        Box::pin(async move {
            // Before anything is applied: an error concerns the whole batch.
            for command in &batch {
                codec::peek(&command.head).map_err(|error| Error::new(ErrorKind::Content, error))?;
            }
            let mut held = self.held();
            Ok(batch.into_iter().map(|command| held.apply(command)).collect())
        })
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let held = self.held();
            Ok(ids.iter().map(|id| held.rows.get(id).cloned()).collect())
        })
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        Box::pin(async move { Ok(self.held().bodies.get(&id).cloned()) })
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        Box::pin(async move {
            let held = self.held();
            let rows = held.rows.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
            let open = rows.filter(|(_, row)| codec::peek(row).is_ok_and(|peek| peek.open));
            Ok(open.take(limit).map(|(id, row)| (*id, row.clone())).collect())
        })
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        Box::pin(async move { Ok(self.held().rows.is_empty()) })
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        Box::pin(async move {
            let mut held = self.held();
            let expired = |row: &Bytes| {
                codec::peek(row).is_ok_and(|peek| peek.expires_at.is_some_and(|end| end <= now))
            };
            let ids: Vec<_> =
                held.rows.iter().filter(|(_, row)| expired(row)).map(|(id, _)| *id).take(limit).collect();
            for id in &ids {
                held.rows.remove(id);
                held.bodies.remove(id);
            }
            Ok(ids.len())
        })
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        Box::pin(async move { Ok(self.held().identity.clone()) })
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        Box::pin(async move {
            let mut held = self.held();
            let matches = held.identity.as_deref() == expect;
            if matches {
                held.identity = Some(row);
            }
            Ok(matches)
        })
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        Box::pin(async move {
            self.held().note(entry);
            Ok(())
        })
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        Box::pin(async move {
            let held = self.held();
            let older = held.audit.range(..before.unwrap_or(u64::MAX)).rev();
            Ok(older.take(limit).map(|(number, entry)| (*number, entry.clone())).collect())
        })
    }
}

impl Held {
    fn apply(&mut self, command: Command) -> Applied {
        let standing = self.rows.get(&command.id);
        // A row whose version cannot be read equals no version: unreadable is never absent.
        let version = standing.map(|row| codec::peek(row).ok().map(|peek| peek.version));
        if version != command.expect.map(Some) {
            return Applied::Conflict(standing.cloned());
        }
        self.rows.insert(command.id, command.head);
        match command.body {
            Body::Keep => {}
            Body::Put { bytes, .. } => {
                self.bodies.insert(command.id, bytes);
            }
            Body::Remove => {
                self.bodies.remove(&command.id);
            }
        }
        if let Some(note) = command.note {
            self.note(note);
        }
        Applied::Yes
    }

    fn note(&mut self, entry: Bytes) {
        let number = self.audit.last_key_value().map_or(1, |(last, _)| last + 1);
        self.audit.insert(number, entry);
        while self.audit.len() > AUDIT_ENTRIES {
            self.audit.pop_first();
        }
    }
}
