//! The in-memory store: for tests and trials, and the reference for what a store does.
//!
//! Everything is lost with the process. It keeps each rule of [`crate::store`] in the plainest way.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
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
    /// Where there is a bound: the rows, oldest first.
    bounded: Option<(usize, VecDeque<RecordId>)>,
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

    /// An empty store that keeps at most `rows` rows: beyond, the oldest go that are not open. For observing only, where
    /// a forgotten operation costs a wrong number and no second effect.
    pub fn forgetful(rows: usize) -> Self {
        let held = Held { bounded: Some((rows, VecDeque::new())), ..Held::default() };
        Self { held: Mutex::new(held), ..Self::default() }
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

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        Box::pin(async move {
            let held = self.held();
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = held.rows.range((from, Bound::Unbounded));
            Ok(rows.take(limit).map(|(id, row)| (*id, row.clone())).collect())
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
        let new = self.rows.insert(command.id, command.head).is_none();
        if new {
            self.forget(command.id);
        }
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

    /// Makes room for a new row. Open ones stay, and are looked at again after all others.
    fn forget(&mut self, new: RecordId) {
        let Some((most, order)) = &mut self.bounded else { return };
        order.push_back(new);
        for _ in 0..order.len() {
            if self.rows.len() <= *most {
                return;
            }
            let Some(oldest) = order.pop_front() else { return };
            match self.rows.get(&oldest).map(|row| codec::peek(row).is_ok_and(|peek| peek.open)) {
                None => {}
                Some(true) => order.push_back(oldest),
                Some(false) => {
                    self.rows.remove(&oldest);
                    self.bodies.remove(&oldest);
                }
            }
        }
    }

    fn note(&mut self, entry: Bytes) {
        let number = self.audit.last_key_value().map_or(1, |(last, _)| last + 1);
        self.audit.insert(number, entry);
        while self.audit.len() > AUDIT_ENTRIES {
            self.audit.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::{
        Event, Fingerprint, Owner, Policy, Record, decide,
        event::{Claim, Completion, Holder},
        fingerprint::Recipe,
    };

    use super::*;
    use crate::random;

    fn claimed() -> Record {
        let claim = Claim {
            attempt: random::attempt(),
            recipe: Recipe::V1,
            fingerprint: Fingerprint([1; 32]),
            owner: Owner([2; 16]),
            route: "POST /a".to_owned(),
            policy: Policy::default(),
            parameters: Bytes::new(),
        };
        written(None, &Event::Claim(claim))
    }

    fn written(standing: Option<&Record>, event: &Event) -> Record {
        match decide(standing, event, Timestamp::default()) {
            onlyonce_core::Decision::Write(record) => *record,
            other => panic!("{other:?}"),
        }
    }

    fn command(id: u8, expect: Option<&Record>, record: &Record) -> Command {
        Command {
            id: RecordId([id; 16]),
            expect: expect.map(|record| record.version),
            head: codec::encode(record),
            body: Body::Keep,
            note: None,
        }
    }

    #[tokio::test]
    async fn a_forgetful_store_forgets_the_oldest_that_has_ended() {
        let store = MemoryStore::forgetful(2);
        let first = claimed();
        let holder = Holder { attempt: first.version.attempt, fence: first.fence };
        store.apply(vec![command(1, None, &claimed()), command(2, None, &first)]).await.unwrap();
        let ended = written(Some(&first), &Event::Complete(holder, Completion::Kept { status: 201 }));
        store.apply(vec![command(2, Some(&first), &ended)]).await.unwrap();
        store.apply(vec![command(3, None, &claimed())]).await.unwrap();
        let ids = [1, 2, 3].map(|id| RecordId([id; 16]));
        let there: Vec<_> = store.heads(&ids).await.unwrap().iter().map(Option::is_some).collect();
        assert_eq!(there, [true, false, true], "the open one stays, the ended one went");
    }
}
