//! The way of a keyed request: wait for the first, look up, take the lead, claim.
//!
//! [`Ledger::look_up`] runs on behalf of a client and may be dropped at any await: it writes nothing but the lapse of a
//! lease that has passed. [`Leader::claim`] writes, and must run where its client's hang-up does not reach it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Decision, Event, Fence, Fingerprint, Owner, Policy, Record, RecordId, Refusal, decide,
    event::{Claim, Holder},
    fingerprint::Recipe,
    record::ReleaseCause,
};
use tokio::time::Instant;

use crate::{
    Ledger,
    admission::Place,
    attempt::Attempt,
    engine::{Change, Engine, Patience, Transition},
    error::{Error, Failure},
    flights::{Ending, Lead},
    random,
    seal::Content,
    store::Room,
    waiting::Waited,
    writer::Class,
};

/// How often a look-up that meets something new looks again. Released again and again, a record has a new leader each
/// time, and whoever waits goes one round.
const ROUNDS_MAX: usize = 10_000;
/// How often a claim that meets a lapsed lease writes the lapse and decides again.
const LAPSES_MAX: usize = 4;
/// What an attempt may still want to write: its end, with a result of [`RESERVED_RESULT`] at most.
const BYTES_PER_ATTEMPT: u64 = 64 * 1024;
/// A result up to this size has its room since the claim. A larger one that finds none becomes a tombstone.
pub const RESERVED_RESULT: usize = 32 * 1024;

/// A keyed request, as the ledger sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its record.
    pub id: RecordId,
    /// How the fingerprint was made.
    pub recipe: Recipe,
    /// What it is.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub owner: Owner,
    /// Whether that is one of many, who takes no more than his share of the attempts in flight.
    pub one_of_many: bool,
    /// The route's name.
    pub route: String,
    /// What the route promises.
    pub policy: Policy,
    /// The redacted parameters, in the clear; sealed before they are stored. Empty: nothing is.
    pub parameters: Bytes,
}

/// What a request meets.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once per request, and most are free")]
pub enum Look {
    /// Something that answers it.
    Stands(Standing),
    /// Nothing: it may run, once it has the claim.
    Free(Leader),
}

/// What answers a request without running it.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The result, as it was given to [`Attempt::complete`].
    Result {
        /// The record.
        record: Arc<Record>,
        /// The result.
        result: Bytes,
    },
    /// The key is free, and this is the answer that freed it: trying again would get the same.
    Shared {
        /// The record.
        record: Arc<Record>,
        /// The answer, as it was given to [`Attempt::release`].
        answer: Bytes,
    },
    /// It may not run.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The record.
        record: Arc<Record>,
    },
    /// There is a result that cannot be read.
    Damaged {
        /// The record.
        record: Arc<Record>,
    },
}

/// The right to claim, and what is known of the record.
#[derive(Debug)]
pub struct Leader {
    engine: Arc<Engine>,
    lead: Lead,
    standing: Option<Record>,
    request: Request,
}

/// How a claim ended.
#[derive(Debug)]
pub enum Claimed {
    /// It holds: run, once.
    Attempt(Attempt),
    /// Somebody else was faster.
    Stands(Standing),
}

impl Ledger {
    /// Finds out what stands for a request. While its first one runs in this process it waits, at most `wait`, and is
    /// answered after the outcome is durable.
    ///
    /// # Errors
    /// [`Error`] if the ledger cannot be read; a record that is there and unreadable is an error too.
    pub async fn look_up(&self, request: &Request, wait: Duration) -> Result<Look, Error> {
        let look = self.look(request, wait).await?;
        if let Look::Stands(standing) = &look {
            self.0.counters.repeated(standing.record(), self.now());
        }
        Ok(look)
    }

    async fn look(&self, request: &Request, wait: Duration) -> Result<Look, Error> {
        let engine = &self.0;
        let claim = request.question();
        let until = Instant::now() + wait;
        let mut in_progress = None;
        let mut nothing_known = true;
        for _ in 0..ROUNDS_MAX {
            match engine.wait_for_first(request.id, &claim, until).await? {
                Waited::ForNobody => {}
                Waited::Stands(standing) => return Ok(Look::Stands(standing)),
                Waited::ForNothing => nothing_known = false,
            }
            let standing = engine.read_in_time(request.id, nothing_known).await?;
            nothing_known = false;
            if let Some(record) = &standing {
                match decide(Some(record), &claim, engine.now_for(Some(record))) {
                    Decision::Write(_) => {}
                    Decision::Refuse(Refusal::Lapsed) => {
                        // In a box, because it is rare and every look-up would have to be as large.
                        Box::pin(engine.lapse(request.id, standing)).await?;
                        continue;
                    }
                    // It began here a moment ago; wait for it.
                    Decision::Refuse(Refusal::InProgress) if engine.flights.of(request.id).is_some() => {
                        continue;
                    }
                    // It may have ended here since it was read. Read again, it is told from one elsewhere.
                    Decision::Refuse(Refusal::InProgress)
                        if in_progress.replace(record.version) != Some(record.version) =>
                    {
                        continue;
                    }
                    Decision::Refuse(refusal) => {
                        return engine.stands(request.id, refusal, record.clone()).await.map(Look::Stands);
                    }
                    Decision::Already => {
                        unreachable!("no record is held by the name that a look-up asks under")
                    }
                }
            }
            if let Some(lead) = engine.flights.lead(request.id) {
                let (engine, request) = (Arc::clone(engine), request.clone());
                return Ok(Look::Free(Leader { engine, lead, standing, request }));
            }
        }
        Err(Error::unavailable("the record changes faster than it can be judged"))
    }
}

impl Standing {
    /// The record that stands.
    pub fn record(&self) -> &Record {
        match self {
            Self::Result { record, .. }
            | Self::Shared { record, .. }
            | Self::Refused { record, .. }
            | Self::Damaged { record } => record,
        }
    }
}

impl Request {
    /// What a look-up asks `decide`: a claim that is never written, under a name that no attempt has.
    fn question(&self) -> Event {
        self.claim(AttemptId([0; 16]), Bytes::new())
    }

    fn claim(&self, attempt: AttemptId, parameters: Bytes) -> Event {
        Event::Claim(Claim {
            attempt,
            recipe: self.recipe,
            fingerprint: self.fingerprint,
            owner: self.owner,
            route: self.route.clone(),
            policy: self.policy.clone(),
            parameters,
        })
    }
}

impl Engine {
    /// Reads a record for somebody who waits. A store that does not answer in time cannot be reached.
    async fn read_in_time(&self, id: RecordId, nothing_known: bool) -> Result<Option<Record>, Error> {
        let unreachable = |error: Error| {
            if nothing_known && !self.is_at_stake(id) { error.at_look_up() } else { error }
        };
        match tokio::time::timeout(self.options.store_wait, self.row(id)).await {
            Ok(Ok(row)) => self.decoded(id, row),
            Ok(Err(error)) => Err(unreachable(error.into())),
            Err(_) => Err(unreachable(Error::unavailable("no reply in time"))),
        }
    }

    /// What a refusal means, with the result where there is one.
    pub(crate) async fn stands(
        &self,
        id: RecordId,
        refusal: Refusal,
        record: Record,
    ) -> Result<Standing, Error> {
        if refusal != Refusal::Completed {
            return Ok(Standing::Refused { refusal, record: Arc::new(record) });
        }
        let sealed = self.store.body(id).await?;
        let result =
            sealed.and_then(|sealed| self.sealer.open(Content::Result, id, record.version.attempt, &sealed));
        let record = Arc::new(record);
        Ok(match result {
            Some(result) => Standing::Result { record, result },
            None => {
                tracing::error!(idempotency.operation_ref = %record.operation_ref(id), "a result is missing or damaged");
                Standing::Damaged { record }
            }
        })
    }

    /// Writes a lapse. What stands then has to be looked up anew, also where somebody else was faster.
    pub(crate) async fn lapse(&self, id: RecordId, standing: Option<Record>) -> Result<(), Error> {
        let change = Change::new(id, Event::Lapse);
        let patience = Patience::For(self.options.store_wait);
        self.transition(standing, &change, Class::Other, patience).await.map_err(Failure::into_error)?;
        Ok(())
    }
}

impl Leader {
    /// Whether nothing at all is on record for the key.
    pub fn is_first(&self) -> bool {
        let stands = |record: &Record| record.at(self.engine.now_for(Some(record))).is_some();
        !self.standing.as_ref().is_some_and(stands)
    }

    /// Claims. Detach from the client before calling this: once submitted, a claim must be seen through.
    ///
    /// # Errors
    /// [`Error`]: nothing runs. A claim whose fate is in doubt is released as soon as the store says what it was.
    pub async fn claim(self) -> Result<Claimed, Error> {
        let admission = match self.admit() {
            Ok(admission) => admission,
            Err(error) => return Err(self.fail(error)),
        };
        let change = self.change();
        let mut standing = self.standing.clone();
        for _ in 0..LAPSES_MAX {
            let sent = self.engine.lease_from();
            let wait = self.engine.options.store_wait;
            let transition = self.engine.transition(standing, &change, Class::Claim, Patience::For(wait));
            standing = match tokio::time::timeout(wait, transition).await {
                Ok(Ok(Transition::Written { record, .. } | Transition::Already(record))) => {
                    let Self { engine, lead, .. } = self;
                    if record.fence != Fence::FIRST {
                        engine.counters.repeated(&record, engine.store.now());
                    }
                    return Ok(Claimed::Attempt(Attempt::begin(engine, lead, record, sent, admission)));
                }
                Ok(Ok(Transition::Refused(Refusal::Lapsed, found))) => {
                    let lapsed = Box::pin(self.engine.lapse(self.request.id, found)).await;
                    let read = match lapsed {
                        Ok(()) => self.engine.read(self.request.id).await,
                        Err(error) => Err(error),
                    };
                    match read {
                        Ok(found) => found,
                        Err(error) => return Err(self.fail(error)),
                    }
                }
                Ok(Ok(Transition::Refused(refusal, Some(found)))) if change.is_of(&found) => {
                    // Ours, acknowledged so late that it lapsed; nothing was started.
                    tracing::warn!(refusal = refusal.as_str(), "a claim lapsed before it was acknowledged");
                    return Err(self.exorcise(change, admission));
                }
                Ok(Ok(Transition::Refused(refusal, Some(found)))) => {
                    self.engine.counters.repeated(&found, self.engine.store.now());
                    return self.engine.stands(self.request.id, refusal, found).await.map(Claimed::Stands);
                }
                Ok(Ok(Transition::Refused(_, None))) => None,
                Ok(Err(Failure::NotApplied(error) | Failure::Content { error, in_doubt: false })) => {
                    return Err(self.fail(error));
                }
                Ok(Err(Failure::InDoubt(_) | Failure::Content { .. })) | Err(_) => {
                    return Err(self.exorcise(change, admission));
                }
            };
        }
        Err(self.fail(Error::unavailable("too many writers want this record")))
    }

    /// Gives the lead up because of a bound that is not the ledger's: those who wait would meet it in turn.
    pub fn give_up(self, error: Error) -> Error {
        self.fail(error)
    }

    /// Room for the end is reserved at the beginning.
    fn admit(&self) -> Result<Place, Error> {
        let engine = &self.engine;
        let admission = engine.admission.admit(self.request.one_of_many.then_some(self.request.owner))?;
        let in_flight = engine.admission.taken();
        if engine.store.room(in_flight as u64 * BYTES_PER_ATTEMPT) == Room::Short {
            return Err(Error::capacity("room in the ledger"));
        }
        let new = !self.standing.as_ref().is_some_and(Record::is_open);
        if new && engine.tally.unknown(&self.request.route) >= engine.options.unknowns_per_route {
            return Err(Error::capacity("unknown records of the route"));
        }
        Ok(admission)
    }

    fn change(&self) -> Change {
        let mut event = self.request.claim(random::attempt(), Bytes::new());
        if let Event::Claim(claim) = &mut event
            && !self.request.parameters.is_empty()
        {
            let Request { id, parameters, .. } = &self.request;
            claim.parameters = self.engine.sealer.seal(Content::Parameters, *id, claim.attempt, parameters);
        }
        Change::new(self.request.id, event)
    }

    /// Those who wait would only meet the same failure in turn.
    fn fail(&self, error: Error) -> Error {
        self.lead.end(Ending::Failed(error.clone()));
        error
    }

    /// A claim that may land, or may have: claims until the store confirms, then releases, so that no ghost wedges the
    /// key. It keeps its place among the attempts until then.
    fn exorcise(self, change: Change, admission: Place) -> Error {
        // Before the lead is left: at no moment does this process seem to know nothing of the record.
        let doubted = self.engine.doubted.enter(change.id);
        let error = self.fail(Error::unavailable("the claim was not acknowledged in time"));
        let Self { engine, .. } = self;
        tokio::spawn(async move {
            let _doubted = doubted;
            let claimed = engine.transition(None, &change, Class::End, Patience::Endless).await;
            let found = match claimed {
                Ok(Transition::Written { record, .. } | Transition::Already(record)) => record,
                Ok(Transition::Refused(_, Some(record))) if change.is_of(&record) => record,
                // Another attempt holds the record, so this one's claim can no longer land.
                Ok(Transition::Refused(..)) => return,
                Err(failure) => {
                    let error = failure.into_error();
                    tracing::error!(%error, "a claim in doubt could not be taken back");
                    return;
                }
            };
            let holder = Holder { attempt: found.version.attempt, fence: found.fence };
            let release = Change::new(change.id, Event::Release(holder, ReleaseCause::NotStarted));
            if let Err(failure) =
                engine.transition(Some(found), &release, Class::End, Patience::Endless).await
            {
                let error = failure.into_error();
                tracing::error!(%error, "a claim in doubt could not be released");
            }
            drop(admission);
        });
        error
    }
}

impl Change {
    /// Whether `record` is held by the attempt of this claim.
    fn is_of(&self, record: &Record) -> bool {
        matches!(&self.event, Event::Claim(claim) if claim.attempt == record.version.attempt)
    }
}
