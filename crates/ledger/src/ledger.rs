//! The handle on a ledger: opening it, closing it, and what it counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use onlyonce_core::{
    Event, LedgerKey, RecordId,
    record::{ReleaseCause, UnknownCause},
};

use crate::{
    admission::Admission,
    attempts::{self, Attempts, Held, Stage},
    clock::Boot,
    counters::{self, Counters},
    elsewhere::{self, Elsewhere},
    engine::{Change, Engine, Patience, Transition},
    flights::Flights,
    gate::{self, Gate},
    identity::{self, Closed, OpenError, OpenErrorKind, Secret},
    measured::Measured,
    meter::Meter,
    rounds,
    seal::Sealer,
    store::{Capabilities, Store},
    tally::Tally,
    writer::{Class, Writer},
};

/// How many open records are converted at once at start-up: a batch.
const CONVERSION_PAGE: usize = 512;

/// Bounds and waiting times of a ledger.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refuses an empty store.
    pub must_exist: bool,
    /// Most attempts in flight.
    pub attempts: usize,
    /// Most of them of one owner; not where everybody is the same.
    pub attempts_per_owner: usize,
    /// Most waiters on one key.
    pub waiters_per_key: usize,
    /// Most waiters in all.
    pub waiters: usize,
    /// Most unknown records of one route; new claims on it are refused beyond.
    pub unknowns_per_route: usize,
    /// How long a request waits for the store's word on a write.
    pub store_wait: Duration,
    /// Where it counts.
    pub meter: Meter,
}

impl Default for Options {
    /// 4 096 attempts, 256 of one owner, 10 000 waiters on a key and 20 000 in all, 10 000 unknown records on a route, 2 s.
    /// Counts in the process's own recorder.
    fn default() -> Self {
        Self {
            must_exist: false,
            attempts: 4096,
            attempts_per_owner: 256,
            waiters_per_key: 10_000,
            waiters: 20_000,
            unknowns_per_route: 10_000,
            store_wait: Duration::from_secs(2),
            meter: Meter::global(),
        }
    }
}

/// A ledger that is open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger(pub(crate) Arc<Engine>);

/// What start-up found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Records in progress whose process is gone: unknown now.
    pub converted: usize,
    /// Records that are unknown in all.
    pub unknown: usize,
}

impl Ledger {
    /// Opens a ledger. In a store that no other process may use, what is in progress belongs to a process that is
    /// gone, and becomes unknown before the first request is taken.
    ///
    /// # Errors
    /// [`OpenError`] if the secret, the identity or the store refuse.
    pub async fn open(
        store: Arc<dyn Store>,
        secret: &Secret,
        options: Options,
    ) -> Result<(Self, Found), OpenError> {
        let meter = &options.meter;
        meter.describe();
        let store: Arc<dyn Store> = Arc::new(Measured::new(store, meter));
        let asked = Boot::now();
        let (identity, row) = identity::open(&*store, secret, options.must_exist).await?;
        let gate = Gate::new(row, store.capabilities().shared, asked);
        let writer = Writer::start(Arc::clone(&store)).map_err(|error| {
            OpenError::new(
                OpenErrorKind::Store,
                format!("the thread that writes could not be started: {error}"),
            )
        })?;
        let flights = Arc::<Flights>::default();
        let engine = Arc::new(Engine {
            writer,
            sealer: Sealer::new(&identity.key, identity.id),
            elsewhere: Elsewhere::new(Arc::clone(&flights)),
            flights,
            attempts: Attempts::default(),
            doubted: Arc::default(),
            admission: Arc::new(Admission::new(options.attempts, options.attempts_per_owner)),
            tally: Tally::new(meter, options.unknowns_per_route),
            counters: Counters::new(meter),
            pending_bytes: AtomicU64::new(0),
            late_outcomes: AtomicU64::new(0),
            identity,
            gate,
            options,
            store,
        });
        let found = engine.start_up().await?;
        tokio::spawn(attempts::keep_leases(Arc::downgrade(&engine)));
        if engine.is_shared() {
            tokio::spawn(gate::keep(Arc::downgrade(&engine)));
        }
        tokio::spawn(elsewhere::keep_asking(Arc::downgrade(&engine), engine.elsewhere.arrivals()));
        tokio::spawn(rounds::make(Arc::downgrade(&engine)));
        tokio::spawn(counters::keep_gauges(Arc::downgrade(&engine)));
        Ok((Self(engine), found))
    }

    /// What the store promises.
    pub fn capabilities(&self) -> Capabilities {
        self.0.store.capabilities()
    }

    /// The key from which ids and fingerprints are made.
    pub fn key(&self) -> &LedgerKey {
        &self.0.identity.key
    }

    /// Why it takes no claims, as far as is known; it still replays.
    pub fn closed(&self) -> Option<Closed> {
        self.0.gate.closed()
    }

    /// Resolves if the store is poisoned: nothing can be served until the process opens it again.
    pub async fn poisoned(&self) {
        let mut poisoned = self.0.writer.poisoned();
        // The sender lives as long as the writer, and the writer as long as this handle.
        let _ = poisoned.wait_for(|poisoned| *poisoned).await;
    }

    /// Whether the store can be read, and has not failed for good: what readiness means. A full one is ready: it still
    /// replays.
    pub async fn is_ready(&self) -> bool {
        let poisoned = self.0.writer.poisoned();
        // A writer that is gone has died of its store.
        let writes = poisoned.has_changed().is_ok() && !*poisoned.borrow();
        let read =
            self.0.store.heads(&[RecordId([0; 16])]).await.inspect_err(|error| self.0.writer.met(error));
        writes && read.is_ok()
    }

    /// Attempts whose record is still in progress, as far as is known; who only listens for a late answer is none.
    pub fn attempts(&self) -> usize {
        self.0.attempts.count()
    }

    /// Whether nothing is under way here that may still write: no attempt, and no claim whose fate is not known yet.
    pub fn is_quiet(&self) -> bool {
        let Engine { flights, doubted, attempts, .. } = &*self.0;
        // In the order in which one becomes the other, so that none is missed on its way.
        flights.is_empty() && doubted.is_empty() && attempts.count() == 0
    }

    /// The record of a request that runs in this process, as its claim was acknowledged.
    pub fn running(&self, id: RecordId) -> Option<Arc<onlyonce_core::Record>> {
        self.0.flights.of(id)?.running()
    }

    /// Requests that wait for another's outcome.
    pub fn waiters(&self) -> usize {
        self.0.flights.waiters()
    }

    /// Unknown records by route.
    pub fn unknowns(&self) -> Vec<(String, usize)> {
        self.0.tally.unknowns()
    }

    /// Outcomes that came after their record was given up.
    pub fn late_outcomes(&self) -> u64 {
        self.0.late_outcomes.load(Ordering::Relaxed)
    }

    /// Where it counts.
    pub fn meter(&self) -> &Meter {
        &self.0.options.meter
    }

    /// Sets the gauges to what is so now. They are set every few seconds anyway; whoever shows them asks for it first.
    pub fn set_gauges(&self) {
        self.0.set_gauges();
    }

    /// Ends what is under way because the process stops: what has not started is released, the rest is unknown.
    /// What is still running may yet complete late, for as long as the process lives.
    pub async fn give_up_attempts(&self) {
        let ends: Vec<_> =
            self.0.attempts.all().into_iter().filter_map(|held| self.0.give_up(held)).collect();
        for end in ends {
            // Logged where it fails; start-up will say the same of the record.
            let _ = end.await;
        }
    }
}

impl Engine {
    fn give_up(self: &Arc<Self>, held: Arc<Held>) -> Option<tokio::task::JoinHandle<()>> {
        // From here on it may not start any more, whatever becomes of the write.
        let event = match (held.abandon(), held.stage()) {
            (true, _) => Event::Release(held.holder, ReleaseCause::NotStarted),
            (false, Stage::Claimed | Stage::Started | Stage::Abandoned) => {
                Event::LoseTrack(held.holder, UnknownCause::Drained.into())
            }
            (false, Stage::Unknown | Stage::Over) => return None,
        };
        held.reached(Stage::Unknown);
        let engine = Arc::clone(self);
        let limit = self.options.store_wait;
        Some(tokio::spawn(async move {
            if tokio::time::timeout(limit, engine.give_up_now(&held, event, limit)).await.is_err() {
                tracing::error!(record = ?held.id, "an attempt was not given up in time");
            }
        }))
    }

    async fn give_up_now(&self, held: &Held, event: Event, limit: Duration) {
        let mut standing = held.standing.lock().await;
        let change = Change::new(held.id, event);
        match self.transition_of_holder(held, &standing, &change, Patience::For(limit)).await {
            Ok(Transition::Written { record, .. }) => *standing = record,
            Ok(Transition::Already(_) | Transition::Refused(..)) => {}
            Err(failure) => {
                let error = failure.into_error();
                tracing::error!(record = ?held.id, %error, "an attempt could not be given up");
            }
        }
    }

    async fn start_up(self: &Arc<Self>) -> Result<Found, OpenError> {
        let mut found = Found::default();
        let convert = !self.is_shared();
        let mut after = None;
        loop {
            let page = self.open_page(after, CONVERSION_PAGE).await?;
            if page.next.is_none() {
                return Ok(found);
            }
            after = page.next;
            let orphaned = |(id, record)| tokio::spawn(Arc::clone(self).orphaned(id, record, convert));
            let changes: Vec<_> = page.records.into_iter().map(orphaned).collect();
            for change in changes {
                let converted = change.await.map_err(|_| {
                    OpenError::new(OpenErrorKind::Store, "the conversion of open records was broken off")
                })??;
                found.converted += usize::from(converted);
            }
            found.unknown = self.tally.unknowns().iter().map(|(_, count)| count).sum();
        }
    }

    /// What start-up does with one open record; says whether it was in progress.
    async fn orphaned(
        self: Arc<Self>,
        id: RecordId,
        record: onlyonce_core::Record,
        convert: bool,
    ) -> Result<bool, OpenError> {
        self.tally.found(&record);
        let in_progress = matches!(record.state, onlyonce_core::State::InProgress { .. });
        if !(in_progress && convert) {
            return Ok(false);
        }
        let change = Change::new(id, Event::ProcessGone);
        let patience = Patience::For(self.options.store_wait);
        self.transition(Some(record), &change, Class::Other, patience)
            .await
            .map_err(|failure| OpenError::new(OpenErrorKind::Store, failure.into_error().to_string()))?;
        Ok(true)
    }
}
