//! The claim of a keyed request that nothing answers.
//!
//! [`Leader::claim`] writes, and must run where its client's hang-up does not reach it.

use std::sync::Arc;

use bytes::Bytes;
use onlyonce_core::{
    Event, Fence, Record, Refusal, State, Timestamp, codec, event::Holder, record::ReleaseCause,
};
use tokio::time::Instant;

use crate::{
    admission::Place,
    attempt::Attempt,
    begin::{Look, ROUNDS_MAX, Request, Standing},
    engine::{Change, Engine, Patience, Transition, Tries},
    error::{Error, Failure},
    flights::{Ending, Lead},
    random,
    seal::Content,
    store::Room,
    writer::Class,
};

/// How often a claim that meets a lapsed lease writes the lapse and decides again.
const LAPSES_MAX: usize = 4;
/// What an attempt may still want to write: its end, with a result of [`RESERVED_RESULT`] at most.
const BYTES_PER_ATTEMPT: u64 = 64 * 1024;
/// A result up to this size has its room since the claim. A larger one that finds none becomes a tombstone.
pub const RESERVED_RESULT: usize = 32 * 1024;

/// The right to claim, and what is known of the record.
#[derive(Debug)]
pub struct Leader {
    pub(crate) engine: Arc<Engine>,
    pub(crate) lead: Lead,
    pub(crate) standing: Option<Record>,
    pub(crate) request: Request,
    /// Until when it waits if somebody in another process is faster.
    pub(crate) until: Instant,
}

/// How a claim ended.
#[derive(Debug)]
pub enum Claimed {
    /// It holds: run, once.
    Attempt(Attempt),
    /// Somebody else was faster.
    Stands(Standing),
}

/// Who has lost a race for a claim, and may wait.
struct Slower {
    engine: Arc<Engine>,
    request: Request,
    until: Instant,
}

impl Leader {
    /// Whether nothing at all is on record for the key.
    pub fn is_first(&self) -> bool {
        let stands = |record: &Record| record.at(self.engine.now_for(Some(record))).is_some();
        !self.standing.as_ref().is_some_and(stands)
    }

    /// The time before which the key may have been used without being on record now, because the ledger was restored to an earlier
    /// state. A release from before it may have been taken for another attempt; an unknown that is run again has the name that
    /// any other attempt would have had.
    pub fn forgotten_before(&self) -> Option<Timestamp> {
        let before = self.engine.gate.forgotten_before()?;
        let says_enough =
            |record: &Record| record.claimed_at >= before || matches!(record.state, State::Unknown { .. });
        (!self.standing.as_ref().is_some_and(says_enough)).then_some(before)
    }

    /// Claims. Detach from the client before calling this: once submitted, a claim must be seen through. Whoever finds that
    /// somebody in another process was faster waits for him, for as long as the look-up would have.
    ///
    /// # Errors
    /// [`Error`]: nothing runs. A claim whose fate is in doubt is released as soon as the store says what it was.
    pub async fn claim(self) -> Result<Claimed, Error> {
        let mut leader = self;
        for _ in 0..ROUNDS_MAX {
            let Slower { engine, request, until } = match leader.claim_at_once().await? {
                Ok(claimed) => return Ok(claimed),
                Err(slower) => slower,
            };
            // In a box, because it is rare and every claim would have to be as large.
            match Box::pin(engine.look(&request, until)).await? {
                Look::Stands(standing) => return Ok(Claimed::Stands(standing)),
                Look::Free(next) => leader = next,
            }
        }
        Err(Error::unavailable("the record changes faster than it can be judged"))
    }

    /// The inner error: somebody in another process was faster, and may be waited for.
    async fn claim_at_once(self) -> Result<Result<Claimed, Slower>, Error> {
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
                    if let Err(error) = self.engine.gate.passes() {
                        // Closed meanwhile: whoever closed it may count on no attempt that starts now.
                        return Err(self.exorcise(change, admission, error));
                    }
                    let Self { engine, lead, .. } = self;
                    if record.fence != Fence::FIRST {
                        engine.counters.repeated(&record, engine.store.now());
                    }
                    return Ok(Ok(Claimed::Attempt(Attempt::begin(engine, lead, record, sent, admission))));
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
                    return Err(self.exorcise(change, admission, unacknowledged()));
                }
                Ok(Ok(Transition::Refused(refusal, Some(found)))) => {
                    self.engine.counters.repeated(&found, self.engine.store.now());
                    if refusal == Refusal::InProgress
                        && self.engine.is_shared()
                        && Instant::now() < self.until
                    {
                        let Self { engine, request, until, .. } = self;
                        return Ok(Err(Slower { engine, request, until }));
                    }
                    let standing = self.engine.stands(self.request.id, refusal, found).await?;
                    return Ok(Ok(Claimed::Stands(standing)));
                }
                Ok(Ok(Transition::Refused(_, None))) => None,
                Ok(Err(Failure::NotApplied(error) | Failure::Content { error, in_doubt: false })) => {
                    return Err(self.fail(error));
                }
                Ok(Err(Failure::InDoubt(_) | Failure::Content { .. })) | Err(_) => {
                    return Err(self.exorcise(change, admission, unacknowledged()));
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
        engine.gate.passes()?;
        let admission = engine.admission.admit(self.request.one_of_many.then_some(self.request.owner))?;
        let in_flight = engine.admission.taken();
        if engine.store.room(in_flight as u64 * BYTES_PER_ATTEMPT) == Room::Short {
            return Err(Error::capacity("its store admits no claims now, and has said why"));
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
    fn exorcise(self, change: Change, admission: Place, error: Error) -> Error {
        // Before the lead is left: at no moment does this process seem to know nothing of the record.
        let doubted = self.engine.doubted.enter(change.id);
        let error = self.fail(error);
        let Self { engine, .. } = self;
        tokio::spawn(async move {
            let _doubted = doubted;
            let Some(found) = engine.claimed_after_all(&change).await else { return };
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

fn unacknowledged() -> Error {
    Error::unavailable("the claim was not acknowledged in time")
}

impl Engine {
    /// Goes on claiming until the claim stands; `None` if it does not and no longer can.
    ///
    /// It stands once the store says so, or once it can be read: a store may never get to confirm what it has written, if its
    /// replicas are gone, and to take the claim back it is enough that it is there. In a ledger that is closed it is only looked
    /// for: whoever moves it copies what he finds.
    async fn claimed_after_all(&self, claim: &Change) -> Option<Record> {
        let patience = Patience::For(self.options.store_wait);
        let mut tries = Tries::new(Patience::Endless);
        while self.gate.is_of_this_ledger() {
            let claimed = match self.gate.passes() {
                Ok(()) => self.transition(None, claim, Class::End, patience).await,
                Err(closed) => Err(Failure::NotApplied(closed)),
            };
            match claimed {
                Ok(Transition::Written { record, .. } | Transition::Already(record)) => return Some(record),
                // Held by another attempt, the record can no longer be claimed by this one.
                Ok(Transition::Refused(_, found)) => return found.filter(|record| claim.is_of(record)),
                Err(Failure::InDoubt(_) | Failure::NotApplied(_)) if !*self.writer.poisoned().borrow() => {
                    match self.row(claim.id).await.map(|row| row.map(|row| codec::decode(&row))) {
                        Ok(Some(Ok(record))) if claim.is_of(&record) => return Some(record),
                        // Somebody else's, by a newer version, or damaged: it is in the way of ours as any other is.
                        Ok(Some(Err(_))) => return None,
                        // An earlier copy may still land.
                        Ok(_) | Err(_) => _ = tries.again().await,
                    }
                }
                Err(failure) => {
                    let error = failure.into_error();
                    tracing::error!(%error, "a claim in doubt could not be taken back");
                    return None;
                }
            }
        }
        None
    }
}

impl Change {
    /// Whether `record` is held by the attempt of this claim.
    fn is_of(&self, record: &Record) -> bool {
        matches!(&self.event, Event::Claim(claim) if claim.attempt == record.version.attempt)
    }
}
