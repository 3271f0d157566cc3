//! One execution under a claim, from the acknowledged claim to an outcome that is written or refused.
//!
//! Invariant: an attempt ends only by complete, release or unknown. One that is dropped without an end is released if
//! it had not started and unknown if it had. It starts only inside its lease, judged by a clock that counts
//! suspension and was read before the claim was sent.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use onlyonce_core::{
    Event, Fence, OperationRef, Record, Refusal, State,
    event::{Completion, Unknown},
    record::{ReleaseCause, UnknownCause},
};

use crate::{
    admission::Place,
    attempts::{Held, Stage},
    audit::{self, Author, Signed},
    boxed,
    claiming::RESERVED_RESULT,
    clock::Boot,
    engine::{Change, Engine, Patience, Transition},
    error::{Error, Failure},
    flights::{Ending, Lead},
    seal::Content,
    store::Room,
};

/// Most bytes of results whose completion is still being tried; beyond it they become tombstones.
pub const PENDING_BYTES: u64 = 64 * 1024 * 1024;

/// One execution under a claim.
pub struct Attempt(Arc<Execution>);

struct Execution {
    engine: Arc<Engine>,
    held: Arc<Held>,
    reference: OperationRef,
    rerun: bool,
    lead: Mutex<Option<Lead>>,
    /// Held until the record is no longer in progress: who only listens for a late answer takes nobody's place.
    admission: Mutex<Option<Place>>,
    /// When its claim was acknowledged.
    claimed: Boot,
}

/// Why an attempt may not start: it does not hold its lease any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseLost;

/// Why an outcome is not on record.
#[derive(Clone, Debug)]
pub enum Unrecorded {
    /// The ledger did not confirm it in time; it is tried on until the ledger says yes or no.
    Pending,
    /// The record has moved on, and refuses.
    Refused(Refusal),
}

impl Unrecorded {
    /// The reason in a word, for logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Refused(refusal) => refusal.as_str(),
        }
    }
}

/// An end, and what waiters learn of it.
struct End {
    change: Change,
    result: Option<Bytes>,
    shared: Option<Bytes>,
}

impl Attempt {
    pub(crate) fn begin(
        engine: Arc<Engine>,
        lead: Lead,
        record: Record,
        sent: Boot,
        admission: Place,
    ) -> Self {
        let reference = record.operation_ref(lead.id);
        let rerun = record.earlier_unknown.is_some();
        lead.running(Arc::new(record.clone()));
        let held = Arc::new(Held::new(lead.id, record, sent));
        engine.attempts.add(Arc::clone(&held));
        let lead = Mutex::new(Some(lead));
        Self(Arc::new(Execution {
            engine,
            held,
            reference,
            rerun,
            lead,
            admission: Mutex::new(Some(admission)),
            claimed: Boot::now(),
        }))
    }

    /// The operation's public name.
    pub fn operation_ref(&self) -> OperationRef {
        self.0.reference
    }

    /// How many claims the record has had, this one included.
    pub fn fence(&self) -> Fence {
        self.0.held.holder.fence
    }

    /// Whether an earlier attempt of the operation is unknown.
    pub fn is_rerun(&self) -> bool {
        self.0.rerun
    }

    /// To be called right before the first byte goes out. With less than a third of the lease left it renews first.
    ///
    /// Gives the moment until which that byte may go: the end of the lease as far as it is certain, or the attempt's
    /// deadline, after which nobody waits for it. A process can stand still at any point, so whoever can refuse the byte
    /// later should; an attempt whose first byte was refused has sent nothing, and may be started again or released.
    ///
    /// # Errors
    /// [`LeaseLost`] if the lease is not certain: nothing may be sent, and the attempt must be released.
    pub async fn start(&self) -> Result<Boot, LeaseLost> {
        let Execution { engine, held, claimed, .. } = &*self.0;
        let a_third = held.policy.lease / 3;
        // In a box, because it is rare and every request would have to be as large.
        if held.lease_left() < a_third
            && !(Box::pin(held.renew(engine)).await && held.lease_left() >= a_third)
        {
            return Err(LeaseLost);
        }
        let lease_end = held.lease_end().ok_or(LeaseLost)?;
        if held.start() { Ok(lease_end.min(claimed.plus(held.policy.deadline))) } else { Err(LeaseLost) }
    }

    /// Gives the attempt up if it has not started: from then on it cannot. `false` if it has started.
    pub fn abandon(&self) -> bool {
        self.0.held.abandon()
    }

    /// The attempt has a result: `result` is what repeats will get, as the caller wants it back.
    ///
    /// # Errors
    /// [`Unrecorded`]: the answer may go out, but not as one that is on record.
    pub async fn complete(&self, completion: Completion, result: Bytes) -> Result<Arc<Record>, Unrecorded> {
        let Execution { engine, held, .. } = &*self.0;
        let kept = match completion {
            Completion::Kept { status }
                if result.len() > RESERVED_RESULT
                    && engine.store.room_for_result(result.len() as u64) == Room::Short =>
            {
                tracing::error!("no room for a result: it becomes a tombstone");
                Completion::TooLarge { status }
            }
            _ => completion,
        };
        let mut change = Change::new(held.id, Event::Complete(held.holder, kept));
        if matches!(kept, Completion::Kept { .. }) {
            change.result = Some(engine.sealer.seal(Content::Result, held.id, held.holder.attempt, &result));
        }
        boxed::pinned(|| Execution::end(&self.0, End { change, result: Some(result), shared: None })).await
    }

    /// The attempt had no effect and will have none. `shared` is the answer for those who wait, where trying in turn
    /// would only get them the same.
    ///
    /// # Errors
    /// [`Unrecorded`]: the key is not known to be free.
    pub async fn release(
        &self,
        cause: ReleaseCause,
        shared: Option<Bytes>,
    ) -> Result<Arc<Record>, Unrecorded> {
        let change = Change::new(self.0.held.id, Event::Release(self.0.held.holder, cause));
        boxed::pinned(|| Execution::end(&self.0, End { change, result: None, shared })).await
    }

    /// Nobody knows what became of it. A late [`complete`](Self::complete) is still accepted while nothing else has
    /// happened to the record.
    ///
    /// # Errors
    /// [`Unrecorded`]: the lapse of the lease will say the same.
    pub async fn lose_track(&self, unknown: Unknown) -> Result<Arc<Record>, Unrecorded> {
        let change = Change::new(self.0.held.id, Event::LoseTrack(self.0.held.holder, unknown));
        boxed::pinned(|| Execution::end(&self.0, End { change, result: None, shared: None })).await
    }
}

impl Execution {
    /// Writes an end. It is large, and lies in a box, because each of those who await each other would have to be larger still,
    /// and be copied. What the ledger does not confirm within its time goes on being tried after this returns.
    async fn end(this: &Arc<Self>, mut end: End) -> Result<Arc<Record>, Unrecorded> {
        this.engine.counters.ended(&end.change.event);
        let patience = this.engine.options.store_wait;
        let error = loop {
            let tried = this.try_end(&end, Patience::For(patience));
            match tokio::time::timeout(patience, tried).await {
                Ok(Ok(ended)) => return ended,
                Ok(Err(Failure::Content { .. })) if end.result.is_some() => end = end.without_result(),
                Ok(Err(failure)) => break failure.into_error(),
                Err(_) => break Error::unavailable("no reply in time"),
            }
        };
        tracing::warn!(idempotency.operation_ref = %this.reference, %error, "an outcome is not on record yet; it is tried on");
        // From here on this end is seen to: whoever drops the attempt makes no other.
        this.held.reached(Stage::Unknown);
        let this = Arc::clone(this);
        tokio::spawn(async move { this.see_through(end).await });
        Err(Unrecorded::Pending)
    }

    /// Goes on until the store says yes or no. Bounded: by the attempts that are admitted, and in bytes by
    /// [`PENDING_BYTES`], beyond which the result is dropped and the record becomes a tombstone.
    async fn see_through(&self, mut end: End) {
        let pending = &self.engine.pending_bytes;
        let bytes = end.bytes();
        let fits = pending.fetch_add(bytes, Ordering::Relaxed) + bytes <= PENDING_BYTES;
        if !fits {
            pending.fetch_sub(bytes, Ordering::Relaxed);
            end = end.without_result();
        }
        while let Err(failure) = self.try_end(&end, Patience::Endless).await {
            if matches!(failure, Failure::Content { .. }) && end.result.is_some() {
                end = end.without_result();
                continue;
            }
            let error = failure.into_error();
            tracing::error!(idempotency.operation_ref = %self.reference, %error, "an outcome could not be recorded");
            break;
        }
        if fits {
            pending.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// One go at writing an end; the inner result is the store's word.
    async fn try_end(
        &self,
        end: &End,
        patience: Patience,
    ) -> Result<Result<Arc<Record>, Unrecorded>, Failure> {
        let mut standing = self.held.standing.lock().await;
        let change = &end.change;
        let transition = self.engine.transition_of_holder(&self.held, &standing, change, patience).await?;
        let (record, before) = match transition {
            Transition::Written { record, before } => (record, before),
            Transition::Already(record) => (record, Some(Box::new(standing.clone()))),
            Transition::Refused(refusal, found) => {
                self.held.reached(Stage::Over);
                self.held.told();
                self.lead().take();
                self.leave();
                let second_truth = refusal == Refusal::SettledOtherwise;
                if second_truth || matches!(change.event, Event::Complete(..)) {
                    self.late(found.as_ref(), found.as_ref(), "refused").await;
                }
                return Ok(Err(Unrecorded::Refused(refusal)));
            }
        };
        standing.clone_from(&record);
        drop(standing);
        self.reached(&record);
        let record = Arc::new(record);
        self.tell_waiters(end, &record);
        if matches!(change.event, Event::Complete(..)) && before.as_deref().is_some_and(was_given_up) {
            self.late(before.as_deref(), Some(&record), "accepted").await;
        }
        Ok(Ok(record))
    }

    fn reached(&self, record: &Record) {
        self.held.reached(if record.is_open() { Stage::Unknown } else { Stage::Over });
        self.held.told();
        if self.leave().is_some() {
            // The first word on how it ended; a late one is counted elsewhere.
            self.engine.counters.critical_section.record(self.claimed.elapsed());
        }
    }

    /// Gives its place up, if it still has it.
    fn leave(&self) -> Option<Place> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn tell_waiters(&self, end: &End, record: &Arc<Record>) {
        let Some(lead) = self.lead().take() else { return };
        lead.end(match (&record.state, &end.shared) {
            (State::Released { .. }, Some(shared)) => Ending::Shared(Arc::clone(record), shared.clone()),
            (State::Released { .. }, None) => Ending::Look,
            _ => Ending::Written(Arc::clone(record), end.result.clone()),
        });
    }

    /// An outcome that comes after its record was given up is told to people, whatever becomes of it; under the name of
    /// its own operation, also where a new one of the same key stands or none.
    async fn late(&self, before: Option<&Record>, after: Option<&Record>, verdict: &str) {
        self.engine.late_outcomes.fetch_add(1, Ordering::Relaxed);
        self.engine.counters.late_outcomes.increment(1);
        let state = after.map_or("absent", |record| record.state.name().as_str());
        tracing::error!(idempotency.operation_ref = %self.reference, state, verdict, "late outcome");
        let why = format!("the attempt with fence {} answered late", self.held.holder.fence);
        let signed =
            Signed { author: Author::program("onlyonce", why), action: format!("late outcome {verdict}") };
        let now = self.engine.store.now();
        let entry = audit::entry(&signed, self.reference, before, after, now);
        if let Err(error) = self.engine.store.note(entry).await {
            tracing::error!(idempotency.operation_ref = %self.reference, %error, "the audit entry of a late outcome was not written");
        }
    }

    fn lead(&self) -> std::sync::MutexGuard<'_, Option<Lead>> {
        self.lead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.engine.attempts.remove(self.held.holder.attempt);
    }
}

impl End {
    /// The same completion without its result.
    fn without_result(mut self) -> Self {
        if let Event::Complete(holder, Completion::Kept { status }) = self.change.event {
            self.change.event = Event::Complete(holder, Completion::TooLarge { status });
        }
        self.change.result = None;
        self.result = None;
        self
    }

    /// What it keeps in memory: the result as it was given, and sealed.
    fn bytes(&self) -> u64 {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        len(&self.result) + len(&self.change.result)
    }
}

/// Whether nobody expected an outcome any more.
fn was_given_up(record: &Record) -> bool {
    matches!(record.state, State::Unknown { .. } | State::Released { .. })
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let abandoned = self.0.held.abandon();
        if self.0.held.stage() >= Stage::Unknown {
            return;
        }
        let this = Arc::clone(&self.0);
        // Without a runtime the process is ending, and start-up will find the record in progress.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let holder = this.held.holder;
            let event = if abandoned {
                Event::Release(holder, ReleaseCause::NotStarted)
            } else {
                Event::LoseTrack(holder, UnknownCause::Handler.into())
            };
            let end = End { change: Change::new(this.held.id, event), result: None, shared: None };
            // What cannot be written now is tried on inside.
            let _ = Execution::end(&this, end).await;
        });
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("operation_ref", &self.0.reference)
            .field("fence", &self.fence())
            .finish()
    }
}
