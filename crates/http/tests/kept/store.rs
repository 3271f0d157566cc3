//! A memory store whose writes of outcomes and whose reads the test may hold back or refuse.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Record, RecordId, State, Timestamp, codec, record::StateName};
use onlyonce_ledger::{
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Applied, Command, Error, ErrorKind, Reply, Store},
};
use tokio::sync::{Semaphore, watch};

#[derive(Default)]
pub(crate) struct Watched {
    rows: Arc<MemoryStore>,
    /// Writes that would bring a record into this state wait for the gate.
    held: Mutex<Option<(StateName, Arc<Semaphore>)>>,
    /// How many writes have waited there.
    waiting: watch::Sender<usize>,
    /// Writes that would bring a record into this state are refused.
    refused: Mutex<Option<StateName>>,
    unreachable: AtomicBool,
    busy: AtomicBool,
    /// By how much the clock has jumped, in ms, and whether that is in doubt.
    jumped_ms: AtomicU64,
    doubtful: AtomicBool,
}

impl Watched {
    /// The store as a ledger takes it.
    pub(crate) fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        Intercepted::new(Arc::clone(&self.rows), Arc::clone(self))
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

    /// Whether no connection is free for a read.
    pub(crate) fn busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// The clock has jumped by this; retention is judged as if it had not, while that is in doubt.
    pub(crate) fn jumps(&self, by: Duration) {
        self.jumped_ms.store(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
        self.doubtful(true);
    }

    pub(crate) fn doubtful(&self, doubtful: bool) {
        self.doubtful.store(doubtful, Ordering::Relaxed);
    }

    /// The state of a record.
    pub(crate) async fn state_of(&self, id: RecordId) -> Option<State> {
        let row = self.rows.heads(&[id]).await.unwrap().remove(0)?;
        Some(codec::decode(&row).unwrap().state)
    }
}

fn brings_into(batch: &[Command], state: StateName) -> bool {
    let record = |command: &Command| -> Record { codec::decode(&command.head).unwrap() };
    batch.iter().any(|command| record(command).state.name() == state)
}

impl Intercept for Watched {
    fn now(&self, rows: &MemoryStore) -> Timestamp {
        rows.now().plus(Duration::from_millis(self.jumped_ms.load(Ordering::Relaxed)))
    }

    fn retention_now(&self, rows: &MemoryStore) -> Timestamp {
        if self.doubtful.load(Ordering::Relaxed) { rows.now() } else { self.now(rows) }
    }

    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
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
            rows.apply(batch).await
        })
    }

    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        if self.busy.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::full("all connections are lent")) });
        }
        if self.unreachable.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::new(ErrorKind::NotApplied, "cut off by the test")) });
        }
        rows.heads(ids)
    }
}
