//! A memory store whose writes of outcomes and whose reads the test may hold back or refuse.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Record, RecordId, State, Timestamp, codec, record::StateName};
use onlyonce_ledger::{
    memory::MemoryStore,
    store::{Applied, AuditPage, Capabilities, Command, Error, ErrorKind, Reply, Room, Row, Store},
};
use tokio::sync::{Semaphore, watch};

pub(crate) struct Watched {
    inner: MemoryStore,
    /// Writes that would bring a record into this state wait for the gate.
    held: Mutex<Option<(StateName, Arc<Semaphore>)>>,
    /// How many writes have waited there.
    waiting: watch::Sender<usize>,
    /// Writes that would bring a record into this state are refused.
    refused: Mutex<Option<StateName>>,
    unreachable: AtomicBool,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            held: Mutex::default(),
            waiting: watch::Sender::new(0),
            refused: Mutex::default(),
            unreachable: AtomicBool::new(false),
        })
    }

    /// From now on such writes wait, until the gate that comes back is closed.
    pub(crate) fn hold(&self, state: StateName) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.held.lock().unwrap() = Some((state, Arc::clone(&gate)));
        gate
    }

    /// Waits until a write is held.
    pub(crate) async fn held(&self) {
        let mut waiting = self.waiting.subscribe();
        let held = tokio::time::timeout(Duration::from_secs(600), waiting.wait_for(|waiting| *waiting > 0));
        held.await.expect("such a write comes").unwrap();
    }

    pub(crate) fn refuse(&self, state: Option<StateName>) {
        *self.refused.lock().unwrap() = state;
    }

    pub(crate) fn reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, Ordering::Relaxed);
    }

    /// The state of a record.
    pub(crate) async fn state_of(&self, id: RecordId) -> Option<State> {
        let row = self.inner.heads(&[id]).await.unwrap().remove(0)?;
        Some(codec::decode(&row).unwrap().state)
    }
}

fn brings_into(batch: &[Command], state: StateName) -> bool {
    let record = |command: &Command| -> Record { codec::decode(&command.head).unwrap() };
    batch.iter().any(|command| record(command).state.name() == state)
}

impl Store for Watched {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.inner.room(in_flight_bytes)
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        Box::pin(async move {
            let held = self.held.lock().unwrap().clone();
            if let Some((state, gate)) = held
                && brings_into(&batch, state)
            {
                self.waiting.send_modify(|waiting| *waiting += 1);
                // Closed, it lets everybody pass.
                let _ = gate.acquire().await;
            }
            let refused = *self.refused.lock().unwrap();
            if refused.is_some_and(|state| brings_into(&batch, state)) {
                return Err(Error::new(ErrorKind::NotApplied, "refused by the test"));
            }
            self.inner.apply(batch).await
        })
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        if self.unreachable.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::new(ErrorKind::NotApplied, "cut off by the test")) });
        }
        self.inner.heads(ids)
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.inner.body(id)
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.inner.open(after, limit)
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        self.inner.is_empty()
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        self.inner.sweep(now, limit)
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.inner.identity()
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        self.inner.set_identity(expect, row)
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        self.inner.note(entry)
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        self.inner.audit(before, limit)
    }
}
