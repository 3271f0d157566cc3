//! The attempts that this process has under way, and the task that renews their leases.
//!
//! A lease is renewed at a third of its length, for as long as its attempt works and until the attempt's deadline.
//! A renewal that fails is tried again at the next turn and is logged; it is never taken for done.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use onlyonce_core::{AttemptId, Event, HashIds, Policy, Record, RecordId, event::Holder};

use crate::{
    clock::Boot,
    engine::{Change, Engine, Patience, Transition},
};

const TICK_MIN: Duration = Duration::from_millis(10);
const TICK_MAX: Duration = Duration::from_millis(500);

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// It holds the claim and has sent nothing.
    Claimed = 0,
    /// It may have sent something.
    Started = 1,
    /// It has sent nothing and never will.
    Abandoned = 2,
    /// Its record is no longer in progress, as far as it knows, or its end is being written; a late outcome may still
    /// come.
    Unknown = 3,
    /// Its outcome is written or refused.
    Over = 4,
}

/// One attempt's hold on its record.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: RecordId,
    pub(crate) holder: Holder,
    pub(crate) policy: Policy,
    /// What was last written; locked while a command is under way, so that there is at most one.
    pub(crate) standing: tokio::sync::Mutex<Record>,
    /// From when the lease counts: when the last confirmed claim or renewal was sent, or a little earlier; `None` once the record has refused one.
    lease: Mutex<Option<Boot>>,
    claimed: Boot,
    stage: AtomicU8,
    /// Whether it ever was at [`Stage::Started`].
    started: AtomicBool,
    /// Whether the record says how it ended, or that nobody knows.
    told: AtomicBool,
}

impl Held {
    pub(crate) fn new(id: RecordId, record: Record, sent: Boot) -> Self {
        Self {
            id,
            holder: Holder { attempt: record.version.attempt, fence: record.fence },
            policy: record.policy.clone(),
            standing: tokio::sync::Mutex::new(record),
            lease: Mutex::new(Some(sent)),
            claimed: sent,
            stage: AtomicU8::new(Stage::Claimed as u8),
            started: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Claimed,
            1 => Stage::Started,
            2 => Stage::Abandoned,
            3 => Stage::Unknown,
            _ => Stage::Over,
        }
    }

    /// The record is no longer in progress.
    pub(crate) fn told(&self) {
        self.told.store(true, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Moves on; a stage is never gone back.
    pub(crate) fn reached(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
    }

    /// From claimed to started; `false` if it was given up before, or is over.
    pub(crate) fn start(&self) -> bool {
        match self.exchange(Stage::Claimed, Stage::Started) {
            Ok(_) => {
                self.started.store(true, Ordering::Release);
                true
            }
            Err(stage) => stage == Stage::Started as u8,
        }
    }

    /// Whether something may have been sent.
    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Gives the attempt up if it has not started; `false` if it has. Never both: one exchange decides.
    pub(crate) fn abandon(&self) -> bool {
        match self.exchange(Stage::Claimed, Stage::Abandoned) {
            Ok(_) => true,
            Err(stage) => stage == Stage::Abandoned as u8,
        }
    }

    fn exchange(&self, from: Stage, to: Stage) -> Result<u8, u8> {
        self.stage.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
    }

    /// How much of the lease is left, by a clock that counts suspension.
    pub(crate) fn lease_left(&self) -> Duration {
        self.lease().map_or(Duration::ZERO, |sent| self.policy.lease.saturating_sub(sent.elapsed()))
    }

    /// Until when the lease is certain, by the same clock; `None` once the record has moved on.
    pub(crate) fn lease_end(&self) -> Option<Boot> {
        self.lease().map(|sent| sent.plus(self.policy.lease))
    }

    /// Whether it is time to renew: two thirds are left, the attempt works and has not passed its deadline.
    fn due(&self) -> bool {
        self.stage() <= Stage::Started
            && self.lease().is_some()
            && self.lease_left() <= self.policy.lease * 2 / 3
            && self.claimed.elapsed() < self.policy.deadline
    }

    fn lease(&self) -> MutexGuard<'_, Option<Boot>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease; `false` if that is not confirmed.
    pub(crate) async fn renew(&self, engine: &Engine) -> bool {
        let standing = self.standing.lock().await;
        self.renew_from(standing, engine).await
    }

    /// The same, unless a command is under way: that one decides what becomes of the record.
    async fn renew_if_idle(&self, engine: &Engine) {
        if let Ok(standing) = self.standing.try_lock() {
            self.renew_from(standing, engine).await;
        }
    }

    async fn renew_from(&self, mut standing: tokio::sync::MutexGuard<'_, Record>, engine: &Engine) -> bool {
        if self.stage() > Stage::Started {
            return false;
        }
        let sent = engine.lease_from();
        let change = Change::new(self.id, Event::Renew(self.holder));
        let patience = Patience::For(self.policy.lease / 3);
        let renewed = engine.transition_of_holder(self, &standing, &change, patience).await;
        match renewed {
            Ok(Transition::Written { record, .. } | Transition::Already(record)) => {
                *standing = record;
                *self.lease() = Some(sent);
                true
            }
            Ok(Transition::Refused(refusal, _)) => {
                *self.lease() = None;
                tracing::error!(record = ?self.id, refusal = refusal.as_str(), "a lease could not be renewed: the record has moved on");
                false
            }
            Err(failure) => {
                let error = failure.into_error();
                let operation = standing.operation_ref(self.id);
                tracing::warn!(idempotency.operation_ref = %operation, %error, "a lease was not renewed; it is tried again");
                false
            }
        }
    }
}

/// All attempts under way.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<AttemptId, Arc<Held>, HashIds>>);

impl Attempts {
    pub(crate) fn add(&self, held: Arc<Held>) {
        self.lock().insert(held.holder.attempt, held);
    }

    pub(crate) fn remove(&self, attempt: AttemptId) {
        self.lock().remove(&attempt);
    }

    /// Whether one of them is an attempt at this record, also one that only listens.
    pub(crate) fn has_one_at(&self, id: RecordId) -> bool {
        self.lock().values().any(|held| held.id == id)
    }

    pub(crate) fn has(&self, attempt: AttemptId) -> bool {
        self.lock().contains_key(&attempt)
    }

    /// How many hold a claim, as far as they know; who only listens for a late answer does not count.
    pub(crate) fn count(&self) -> usize {
        self.lock().values().filter(|held| !held.is_told()).count()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Held>> {
        self.lock().values().cloned().collect()
    }

    fn due(&self) -> Vec<Arc<Held>> {
        self.lock().values().filter(|held| held.due()).cloned().collect()
    }

    /// A tenth of the shortest lease, so that a renewal is never late by much.
    fn tick(&self) -> Duration {
        let shortest = self.lock().values().map(|held| held.policy.lease).min();
        (shortest.unwrap_or(TICK_MAX) / 10).clamp(TICK_MIN, TICK_MAX)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptId, Arc<Held>, HashIds>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews leases for as long as the engine lives.
pub(crate) async fn keep_leases(engine: Weak<Engine>) {
    while let Some(alive) = engine.upgrade() {
        for held in alive.attempts.due() {
            let engine = Arc::clone(&alive);
            // Together, so that one batch serves them all, and each by itself, so that none waits for another.
            tokio::spawn(async move { held.renew_if_idle(&engine).await });
        }
        let tick = alive.attempts.tick();
        drop(alive);
        tokio::time::sleep(tick).await;
    }
}
