//! The way of a keyed request: wait for the first, look up, take the lead, [claim](Leader::claim).
//!
//! [`Ledger::look_up`] runs on behalf of a client and may be dropped at any await: it writes nothing but the lapse of a
//! lease that has passed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Decision, Event, Fingerprint, Owner, Policy, Record, RecordId, Refusal, decide, event::Claim,
    fingerprint::Recipe,
};
use tokio::time::Instant;

pub use crate::claiming::{Claimed, Leader, RESERVED_RESULT};
use crate::{
    Ledger,
    engine::{Change, Engine, Patience},
    error::{Error, Failure},
    seal::Content,
    waiting::Waited,
    writer::Class,
};

/// How often a look-up that meets something new looks again. Released again and again, a record has a new leader each
/// time, and whoever waits goes one round.
pub(crate) const ROUNDS_MAX: usize = 10_000;

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
    /// The result, as it was given to [`Attempt::complete`](crate::Attempt::complete).
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
        /// The answer, as it was given to [`Attempt::release`](crate::Attempt::release).
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

impl Ledger {
    /// Finds out what stands for a request. While its first one runs, in this process or in another one that uses the
    /// ledger, it waits, at most `wait`, and is answered after the outcome is durable.
    ///
    /// # Errors
    /// [`Error`] if the ledger cannot be read; a record that is there and unreadable is an error too.
    pub async fn look_up(&self, request: &Request, wait: Duration) -> Result<Look, Error> {
        let look = self.0.look(request, Instant::now() + wait).await?;
        if let Look::Stands(standing) = &look {
            self.0.counters.repeated(standing.record(), self.now());
        }
        Ok(look)
    }
}

impl Engine {
    pub(crate) async fn look(self: &Arc<Self>, request: &Request, until: Instant) -> Result<Look, Error> {
        let claim = request.question();
        let mut in_progress = None;
        let mut nothing_known = true;
        let mut waited = None;
        for _ in 0..ROUNDS_MAX {
            let news = match waited.take() {
                Some(news) => news,
                None => self.wait_for_first(request.id, &claim, until).await?,
            };
            let standing = match news {
                Waited::Stands(standing) => return Ok(Look::Stands(standing)),
                Waited::Claimable(record) => Some(Arc::unwrap_or_clone(record)),
                Waited::ForNobody => self.read_in_time(request.id, nothing_known).await?,
                Waited::ForNothing => self.read_in_time(request.id, false).await?,
            };
            nothing_known = false;
            if let Some(record) = &standing {
                match decide(Some(record), &claim, self.now_for(Some(record))) {
                    Decision::Write(_) => {}
                    Decision::Refuse(Refusal::Lapsed) => {
                        // In a box, because it is rare and every look-up would have to be as large.
                        Box::pin(self.lapse(request.id, standing)).await?;
                        continue;
                    }
                    // It began here a moment ago; wait for it.
                    Decision::Refuse(Refusal::InProgress) if self.flights.of(request.id).is_some() => {
                        continue;
                    }
                    Decision::Refuse(Refusal::InProgress) if self.is_shared() && Instant::now() < until => {
                        let record = record.clone();
                        waited =
                            Some(Box::pin(self.wait_elsewhere(request.id, record, &claim, until)).await?);
                        continue;
                    }
                    // It may have ended here since it was read. Read again, it is told from one elsewhere.
                    Decision::Refuse(Refusal::InProgress)
                        if in_progress.replace(record.version) != Some(record.version) =>
                    {
                        continue;
                    }
                    Decision::Refuse(refusal) => {
                        return self.stands(request.id, refusal, record.clone()).await.map(Look::Stands);
                    }
                    Decision::Already => {
                        unreachable!("no record is held by the name that a look-up asks under")
                    }
                }
            }
            if let Some(lead) = self.flights.lead(request.id) {
                let (engine, request) = (Arc::clone(self), request.clone());
                return Ok(Look::Free(Leader { engine, lead, standing, request, until }));
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

    pub(crate) fn claim(&self, attempt: AttemptId, parameters: Bytes) -> Event {
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
