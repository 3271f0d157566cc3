//! A store that fails on demand: a memory store behind a script.
//!
//! A script is a list of faults, each for commands of one [`Write`]; a batch meets the first fault that is meant for
//! one of its commands. What the store is asked to write is logged, and tests wait for the log.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Record, RecordId, State, Timestamp, codec};
use onlyonce_ledger::{
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Applied, Capabilities, Command, Error, ErrorKind, Reply, Room, Store},
};
use tokio::sync::{Semaphore, watch};

use crate::chance::Chance;

/// What a command is for, as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Claim,
    Renew,
    Unknown,
    Release,
    Complete,
    Tombstone,
}

/// How a batch fails.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is applied, and the reply is lost.
    ReplyLost,
    /// It is not applied now, nobody knows, and it lands when [`Faulty::haunt`] says so.
    Ghost,
    /// It is not applied, and the error is of this kind.
    Refused(ErrorKind),
    /// It is applied once the gate is open; met when it is held, and once more when it is applied.
    Held(Gate),
    /// The store's task dies of it.
    Panics,
}

/// Closed until it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.close();
    }

    async fn passed(&self) {
        let closed = self.0.acquire().await;
        assert!(closed.is_err(), "a gate has no permits, it only opens");
    }
}

/// One command as it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) id: RecordId,
    pub(crate) write: Write,
    /// Whether the row was written by this command.
    pub(crate) applied: bool,
}

#[derive(Default)]
pub(crate) struct Faulty {
    rows: Arc<MemoryStore>,
    /// Bodies that were replaced.
    bodies: Mutex<HashMap<RecordId, Option<Bytes>>>,
    /// How far the store's clock was moved.
    ahead_ms: AtomicU64,
    /// How far its time may be behind.
    lag_ms: AtomicU64,
    /// Whether the store knows that its clock was moved.
    in_doubt: AtomicBool,
    script: Mutex<Vec<Scripted>>,
    ghosts: Mutex<Vec<Vec<Command>>>,
    log: watch::Sender<Vec<Met>>,
    /// Of how many records each look at rows asked, and how many results were read.
    looks: Mutex<Vec<usize>>,
    bodies_read: AtomicU64,
    /// The next read waits at the first gate, reads, and waits at the second.
    slow_read: Mutex<Option<(Gate, Gate)>>,
    /// Faults by chance, in so many of a thousand batches.
    chaos: Mutex<Option<(Arc<Chance>, u64)>>,
    unreachable: AtomicBool,
    busy: AtomicBool,
    full: AtomicBool,
    shared: AtomicBool,
}

struct Scripted {
    write: Write,
    fault: Fault,
    times: usize,
}

impl Faulty {
    /// The store as a ledger takes it.
    pub(crate) fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        Intercepted::new(Arc::clone(&self.rows), Arc::clone(self))
    }

    /// The next `times` batches with such a command fail.
    pub(crate) fn fail(&self, write: Write, fault: Fault, times: usize) {
        self.script().push(Scripted { write, fault, times });
    }

    /// Batches with such a command fail until [`Self::heal`].
    pub(crate) fn keep_failing(&self, write: Write, fault: Fault) {
        self.fail(write, fault, usize::MAX);
    }

    /// No more faults.
    pub(crate) fn heal(&self) {
        self.script().clear();
    }

    /// From now on batches fail by chance, or no more.
    pub(crate) fn chaos(&self, chaos: Option<(Arc<Chance>, u64)>) {
        *self.chaos.lock().unwrap() = chaos;
    }

    /// Lets land what was given up as [`Fault::Ghost`].
    pub(crate) async fn haunt(&self) {
        assert!(!self.ghosts.lock().unwrap().is_empty(), "there is a ghost to land");
        self.haunt_if_any().await;
    }

    pub(crate) async fn haunt_if_any(&self) {
        let ghosts = std::mem::take(&mut *self.ghosts.lock().unwrap());
        for ghost in ghosts {
            let met = ghost.iter().map(met).collect();
            let applied = self.rows.apply(ghost).await.unwrap();
            self.note_met(met, &applied);
        }
    }

    /// From now on several processes may use it at once.
    pub(crate) fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// Reads fail until this is called with `true`.
    pub(crate) fn reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, Ordering::Relaxed);
    }

    /// Reads find no connection free until this is called with `false`.
    pub(crate) fn busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Holds the next read of a record before it reads, and with what it has read.
    pub(crate) fn hold_read(&self, before: &Gate, after: &Gate) {
        *self.slow_read.lock().unwrap() = Some((before.clone(), after.clone()));
    }

    /// Of how many records each look at rows asked since this was called.
    pub(crate) fn looks(&self) -> Vec<usize> {
        std::mem::take(&mut *self.looks.lock().unwrap())
    }

    /// How many results were read.
    pub(crate) fn bodies_read(&self) -> u64 {
        self.bodies_read.load(Ordering::Relaxed)
    }

    pub(crate) fn full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Moves the store's clock; an attempt's own clock does not hear of it.
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// From now on the store does not know its time better than so.
    pub(crate) fn lag_by(&self, lag: Duration) {
        self.lag_ms.store(u64::try_from(lag.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Says whether the store knows that its clock was moved.
    pub(crate) fn doubt_the_clock(&self, in_doubt: bool) {
        self.in_doubt.store(in_doubt, Ordering::Relaxed);
    }

    pub(crate) fn plant(&self, id: RecordId, row: Option<Bytes>) {
        self.rows.plant(id, row);
    }

    pub(crate) fn plant_body(&self, id: RecordId, body: Option<Bytes>) {
        self.bodies.lock().unwrap().insert(id, body);
    }

    pub(crate) async fn row(&self, id: RecordId) -> Option<Bytes> {
        self.rows.heads(&[id]).await.unwrap().remove(0)
    }

    pub(crate) async fn body_of(&self, id: RecordId) -> Option<Bytes> {
        self.rows.body(id).await.unwrap()
    }

    /// What was met so far.
    pub(crate) fn log(&self) -> Vec<Met> {
        self.log.borrow().clone()
    }

    /// How many such commands were met, applied or not.
    pub(crate) fn met(&self, write: Write) -> usize {
        self.log.borrow().iter().filter(|met| met.write == write).count()
    }

    /// How many such commands were applied.
    pub(crate) fn applied(&self, write: Write) -> usize {
        self.log.borrow().iter().filter(|met| met.write == write && met.applied).count()
    }

    /// Waits until the log is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&[Met]) -> bool) {
        let mut log = self.log.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(60), log.wait_for(|log| so(log))).await;
        assert!(waited.is_ok(), "{what}: never so; the log is {:?}", self.log());
    }

    /// Waits until so many of such commands were met, applied or not.
    pub(crate) async fn until_met(&self, write: Write, times: usize) {
        let count = |log: &[Met]| log.iter().filter(|met| met.write == write).count() >= times;
        self.until(&format!("{times} × {write:?}"), count).await;
    }

    /// Waits until so many of such commands were applied.
    pub(crate) async fn until_applied(&self, write: Write, times: usize) {
        let count = |log: &[Met]| log.iter().filter(|met| met.write == write && met.applied).count() >= times;
        self.until(&format!("{times} × {write:?} applied"), count).await;
    }

    fn script(&self) -> MutexGuard<'_, Vec<Scripted>> {
        self.script.lock().unwrap()
    }

    fn fault(&self, met: &[Met]) -> Option<Fault> {
        if let Some((chance, faults)) = &*self.chaos.lock().unwrap() {
            return (chance.below(1_000) < *faults).then(|| chance.fault(met));
        }
        let mut script = self.script();
        let scripted = script
            .iter_mut()
            .find(|scripted| scripted.times > 0 && met.iter().any(|met| met.write == scripted.write))?;
        scripted.times -= 1;
        Some(scripted.fault.clone())
    }

    fn haunted_by_chance(&self) -> bool {
        self.chaos.lock().unwrap().as_ref().is_some_and(|(chance, _)| chance.below(10) == 0)
    }

    fn note_met(&self, mut met: Vec<Met>, applied: &[Applied]) {
        for (met, applied) in met.iter_mut().zip(applied) {
            met.applied = *applied == Applied::Yes;
        }
        self.log.send_modify(|log| log.extend(met));
    }

    fn readable(&self) -> Result<(), Error> {
        if self.busy.load(Ordering::Relaxed) {
            return Err(Error::full("scripted"));
        }
        match self.unreachable.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::NotApplied, "scripted")),
            false => Ok(()),
        }
    }

    async fn write(&self, batch: Vec<Command>) -> Result<Vec<Applied>, Error> {
        // Await points before and after, so that a caller may be dropped at either.
        tokio::task::yield_now().await;
        let met: Vec<_> = batch.iter().map(met).collect();
        if self.haunted_by_chance() {
            self.haunt_if_any().await;
        }
        let lost = match self.fault(&met) {
            None => false,
            Some(Fault::ReplyLost) => true,
            Some(Fault::Held(gate)) => {
                self.log.send_modify(|log| log.extend(&met));
                gate.passed().await;
                false
            }
            Some(Fault::Ghost) => {
                self.ghosts.lock().unwrap().push(batch);
                self.note_met(met, &[]);
                return Err(Error::new(ErrorKind::Unknown, "scripted: it may land later"));
            }
            Some(Fault::Refused(kind)) => {
                self.note_met(met, &[]);
                return Err(Error::new(kind, "scripted"));
            }
            Some(Fault::Panics) => panic!("scripted"),
        };
        let applied = self.rows.apply(batch).await?;
        self.note_met(met, &applied);
        tokio::task::yield_now().await;
        if lost { Err(Error::new(ErrorKind::Unknown, "scripted: the reply is lost")) } else { Ok(applied) }
    }
}

fn met(command: &Command) -> Met {
    let record: Record = codec::decode(&command.head).unwrap();
    let renews = command.expect.is_some_and(|version| version.attempt == record.version.attempt);
    let write = match record.state {
        State::InProgress { .. } if renews => Write::Renew,
        State::InProgress { .. } => Write::Claim,
        State::Unknown { .. } => Write::Unknown,
        State::Released { .. } => Write::Release,
        State::Completed { .. } => Write::Complete,
        State::Tombstone { .. } => Write::Tombstone,
    };
    Met { id: command.id, write, applied: false }
}

impl Intercept for Faulty {
    fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
        Capabilities { shared: self.shared.load(Ordering::Relaxed), ..rows.capabilities() }
    }

    fn now(&self, rows: &MemoryStore) -> Timestamp {
        rows.now().plus(Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed)))
    }

    fn retention_now(&self, rows: &MemoryStore) -> Timestamp {
        if self.in_doubt.load(Ordering::Relaxed) { rows.now() } else { self.now(rows) }
    }

    fn lag(&self, _: &MemoryStore) -> Duration {
        Duration::from_millis(self.lag_ms.load(Ordering::Relaxed))
    }

    fn room(&self, _: &MemoryStore, _in_flight_bytes: u64) -> Room {
        if self.full.load(Ordering::Relaxed) { Room::Short } else { Room::Enough }
    }

    fn apply<'a>(&'a self, _: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(self.write(batch))
    }

    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        self.looks.lock().unwrap().push(ids.len());
        Box::pin(async move {
            self.readable()?;
            tokio::task::yield_now().await;
            let slow = self.slow_read.lock().unwrap().take();
            if let Some((before, _)) = &slow {
                before.passed().await;
            }
            let heads = rows.heads(ids).await;
            if let Some((_, after)) = &slow {
                after.passed().await;
            }
            tokio::task::yield_now().await;
            heads
        })
    }

    fn body<'a>(&'a self, rows: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        self.bodies_read.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            self.readable()?;
            tokio::task::yield_now().await;
            let planted = self.bodies.lock().unwrap().get(&id).cloned();
            match planted {
                Some(body) => Ok(body),
                None => rows.body(id).await,
            }
        })
    }
}
