//! The way of a request that repeats one which runs in another process: it waits as it would for one of its own.
//!
//! Nobody tells this process what happens there, so it asks: one task asks for all awaited records at once, and those who
//! wait hold no connection. A record that has just begun to be awaited is asked for at every tick, and less often the longer
//! it takes; so an outcome is served within two of its ticks. Whoever waits has read the record first, so what was true
//! before he came is never held against him.
//!
//! Invariant: what is shared is the reading, of the record and of its result. Each waiter is judged with its own
//! fingerprint and its own deadline, as in [`crate::waiting`], and takes one of the same places.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Event, HashIds, Record, RecordId, Refusal, State};
use tokio::{sync::watch, time::Instant};

use crate::{
    begin::Standing,
    engine::Engine,
    error::Error,
    flights::{Ending, Flight, Flights, Phase, Waiter},
    waiting::Waited,
};

/// How often records are asked for, at most.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// How often one is asked for that is awaited for long.
pub(crate) const TICK_MAX: Duration = Duration::from_millis(500);
/// Records are asked for again after this part of the time that they are awaited.
const PATIENCE: u32 = 4;
/// Most records that are asked for at once; the others have their turn at the next tick.
pub(crate) const IDS_MAX: usize = 1_024;

/// The awaited records that run in other processes.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    flights: Arc<Flights>,
    awaited: Mutex<HashMap<RecordId, Awaited, HashIds>>,
    arrived: watch::Sender<()>,
}

#[derive(Debug)]
struct Awaited {
    flight: Arc<Flight>,
    since: Instant,
    due: Instant,
    /// It has changed, and those who wait are about to be told.
    ending: bool,
}

impl Elsewhere {
    pub(crate) fn new(flights: Arc<Flights>) -> Self {
        Self { flights, awaited: Mutex::default(), arrived: watch::Sender::new(()) }
    }

    /// Tells when somebody has come; ends with this.
    pub(crate) fn arrivals(&self) -> watch::Receiver<()> {
        self.arrived.subscribe()
    }

    /// Joins those who wait for a record that was read just now; `None` if there are as many as there may be.
    fn join(&self, id: RecordId, record: Record, per_key: usize, all: usize) -> Option<Waiter> {
        let mut awaited = self.lock();
        let flight = match awaited.entry(id) {
            Entry::Occupied(entry) => {
                let flight = Arc::clone(&entry.get().flight);
                flight.learns(record);
                flight
            }
            Entry::Vacant(entry) => {
                let now = Instant::now();
                let flight = Arc::new(Flight::new(Phase::Running(Arc::new(record))));
                let joined = Arc::clone(&flight);
                entry.insert(Awaited { flight, since: now, due: now + TICK, ending: false });
                joined
            }
        };
        let waiter = self.flights.join(flight, per_key, all);
        self.arrived.send_replace(());
        waiter
    }

    /// The records that are to be asked for now; `None` if none is awaited.
    fn due(&self) -> Option<Vec<RecordId>> {
        let mut awaited = self.lock();
        awaited.retain(|_, record| record.flight.is_awaited());
        let now = Instant::now();
        let mut due: Vec<_> = awaited
            .iter()
            .filter(|(_, record)| !record.ending && record.due <= now)
            .map(|(id, record)| (record.due, *id))
            .collect();
        due.sort_unstable();
        due.truncate(IDS_MAX);
        for (_, id) in &due {
            if let Some(record) = awaited.get_mut(id) {
                record.due = now + ((now - record.since) / PATIENCE).clamp(TICK, TICK_MAX);
            }
        }
        (!awaited.is_empty()).then(|| due.into_iter().map(|(_, id)| id).collect())
    }

    /// It still runs.
    fn runs(&self, id: RecordId, record: Record) {
        if let Some(awaited) = self.lock().get(&id) {
            awaited.flight.learns(record);
        }
    }

    /// It is not asked for any more; whoever comes now still hears how it ends.
    fn ends(&self, id: RecordId) {
        if let Some(awaited) = self.lock().get_mut(&id) {
            awaited.ending = true;
        }
    }

    fn ended(&self, id: RecordId, ending: Ending) {
        let gone = self.lock().remove(&id);
        if let Some(awaited) = gone {
            awaited.flight.ended(ending);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, Awaited, HashIds>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for awaited records for as long as the engine lives.
pub(crate) async fn keep_asking(engine: Weak<Engine>, mut arrivals: watch::Receiver<()>) {
    while arrivals.changed().await.is_ok() {
        loop {
            tokio::time::sleep(TICK).await;
            let Some(alive) = engine.upgrade() else { return };
            let Some(due) = alive.elsewhere.due() else { break };
            if !due.is_empty() {
                alive.ask_for(&due).await;
            }
        }
    }
}

impl Engine {
    /// Waits for the end of what `record`, read just now, says to be running in another process.
    pub(crate) async fn wait_elsewhere(
        &self,
        id: RecordId,
        record: Record,
        claim: &Event,
        until: Instant,
    ) -> Result<Waited, Error> {
        let refused = |record| Waited::Stands(Standing::Refused { refusal: Refusal::InProgress, record });
        if until <= Instant::now() {
            return Ok(refused(Arc::new(record)));
        }
        let bounds = &self.options;
        let seen = Arc::new(record.clone());
        match self.elsewhere.join(id, record, bounds.waiters_per_key, bounds.waiters) {
            Some(waiter) => self.wait_with(waiter, claim, until).await,
            None => Ok(refused(seen)),
        }
    }

    /// One multi-get. One that fails, which is counted, tells nobody anything: there is a next one.
    async fn ask_for(self: &Arc<Self>, ids: &[RecordId]) {
        let rows = tokio::time::timeout(self.options.store_wait, self.store.heads(ids)).await;
        let Ok(Ok(rows)) = rows else { return };
        for (id, row) in ids.iter().zip(rows) {
            self.heard_of(*id, row);
        }
    }

    fn heard_of(self: &Arc<Self>, id: RecordId, row: Option<Bytes>) {
        match self.decoded(id, row) {
            Ok(Some(record)) if record.is_held(self.store.now()) => self.elsewhere.runs(id, record),
            Ok(Some(record)) => {
                self.elsewhere.ends(id);
                // What it takes to tell of it must not hold up the others.
                let engine = Arc::clone(self);
                tokio::spawn(async move {
                    let ending = engine.how_it_ended(id, record).await.unwrap_or_else(Ending::Failed);
                    engine.elsewhere.ended(id, ending);
                });
            }
            Ok(None) => self.elsewhere.ended(id, Ending::Look),
            Err(error) => self.elsewhere.ended(id, Ending::Failed(error)),
        }
    }

    /// What those who wait are told of a record that runs no more: once for all of them, with its result or its lapse.
    async fn how_it_ended(&self, id: RecordId, record: Record) -> Result<Ending, Error> {
        match record.at(self.now_for(Some(&record))) {
            Some(State::InProgress { .. }) => {
                self.lapse(id, Some(record)).await?;
                let now = self.read(id).await?;
                Ok(now.map_or(Ending::Look, |record| Ending::Written(Arc::new(record), None)))
            }
            Some(State::Completed { .. }) => Ok(match self.stands(id, Refusal::Completed, record).await? {
                Standing::Result { record, result } => Ending::Written(record, Some(result)),
                _ => Ending::Look,
            }),
            _ => Ok(Ending::Written(Arc::new(record), None)),
        }
    }
}
