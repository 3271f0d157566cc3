//! The way of a request that repeats one which runs in this process: it waits for the first one's end.
//!
//! Invariant: what is shared is the news of the record; each waiter is judged with its own fingerprint and its own
//! deadline, and hears of an outcome only after that is durable.

use std::sync::Arc;

use onlyonce_core::{Decision, Event, Record, RecordId, Refusal, decide};
use tokio::time::Instant;

use crate::{
    begin::Standing,
    engine::Engine,
    error::Error,
    flights::{Ending, Phase, Waiter},
};

/// What a request that runs in this process means for its repeat.
pub(crate) enum Waited {
    /// There is none: look in the store.
    ForNobody,
    /// It is over and tells nothing: look in the store.
    ForNothing,
    /// It is over, and this is on record now: the key may be claimed.
    Claimable(Arc<Record>),
    Stands(Standing),
}

impl Engine {
    /// Waits for the end of the record's flight, if there is one.
    pub(crate) async fn wait_for_first(
        self: &Arc<Self>,
        id: RecordId,
        claim: &Event,
        until: Instant,
    ) -> Result<Waited, Error> {
        let Some(flight) = self.flights.of(id) else { return Ok(Waited::ForNobody) };
        let bounds = &self.options;
        let waiter = self.flights.join(flight, bounds.waiters_per_key, bounds.waiters);
        let Some(waiter) = waiter else {
            // In a box, because it is rare and everybody who waits would have to be as large.
            return Box::pin(self.not_waiting(id, claim)).await.map(Waited::Stands);
        };
        self.wait_with(waiter, claim, until).await
    }

    /// Waits in a place that was given.
    pub(crate) async fn wait_with(
        &self,
        waiter: Waiter,
        claim: &Event,
        until: Instant,
    ) -> Result<Waited, Error> {
        let since = Instant::now();
        let ended = self.to_its_end(waiter, claim, until).await;
        self.counters.wait.record(since.elapsed());
        ended
    }

    async fn to_its_end(&self, mut waiter: Waiter, claim: &Event, until: Instant) -> Result<Waited, Error> {
        // Who may not wait for the outcome still waits for the claim: without it there is nothing to judge by.
        let acknowledged_by = until.max(Instant::now() + self.options.store_wait);
        loop {
            let wait_until = match waiter.phase() {
                Phase::Claiming => acknowledged_by,
                Phase::Running(record) => match decide(Some(&record), claim, self.now_for(Some(&record))) {
                    Decision::Refuse(refusal @ Refusal::Mismatch) => {
                        return Ok(Waited::Stands(Standing::Refused { refusal, record }));
                    }
                    _ if Instant::now() >= until => {
                        let refusal = Refusal::InProgress;
                        return Ok(Waited::Stands(Standing::Refused { refusal, record }));
                    }
                    _ => until,
                },
                Phase::Ended(ending) => return self.ended(ending, claim),
            };
            if !waiter.wait(wait_until).await && matches!(waiter.phase(), Phase::Claiming) {
                return Err(Error::unavailable("the claim of the first request is not acknowledged"));
            }
        }
    }

    /// Over the bound of waiters: judged on what stands, at once.
    async fn not_waiting(&self, id: RecordId, claim: &Event) -> Result<Standing, Error> {
        let Some(record) = self.read(id).await? else {
            return Err(Error::capacity("waiters"));
        };
        match decide(Some(&record), claim, self.now_for(Some(&record))) {
            Decision::Refuse(Refusal::Lapsed | Refusal::InProgress) => {
                Ok(Standing::Refused { refusal: Refusal::InProgress, record: Arc::new(record) })
            }
            Decision::Refuse(refusal) => self.stands(id, refusal, record).await,
            Decision::Write(_) | Decision::Already => Err(Error::capacity("waiters")),
        }
    }

    /// What the end of the first request means for a waiter, by its own fingerprint.
    fn ended(&self, ending: Ending, claim: &Event) -> Result<Waited, Error> {
        let (record, result, shared) = match ending {
            Ending::Look => return Ok(Waited::ForNothing),
            Ending::Failed(error) => return Err(error),
            Ending::Written(record, result) => (record, result, None),
            Ending::Shared(record, answer) => (record, None, Some(answer)),
        };
        if let (Some(answer), Event::Claim(claim)) = (shared, claim) {
            // The key is free: another request under it goes its own way.
            let same = record.fingerprint == claim.fingerprint;
            let standing = same.then_some(Standing::Shared { record, answer });
            return Ok(standing.map_or(Waited::ForNothing, Waited::Stands));
        }
        Ok(match (decide(Some(&record), claim, self.now_for(Some(&record))), result) {
            (Decision::Refuse(Refusal::Completed), Some(result)) => {
                Waited::Stands(Standing::Result { record, result })
            }
            (Decision::Refuse(Refusal::Completed | Refusal::InProgress | Refusal::Lapsed), _) => {
                Waited::ForNothing
            }
            (Decision::Refuse(refusal), _) => Waited::Stands(Standing::Refused { refusal, record }),
            // Its claim compares with this record, so there is nothing to gain by reading it again.
            (Decision::Write(_), _) => Waited::Claimable(record),
            (Decision::Already, _) => Waited::ForNothing,
        })
    }
}

impl Waiter {
    /// Waits for news; `false` if `until` came first.
    async fn wait(&mut self, until: Instant) -> bool {
        tokio::select! {
            () = self.changed() => true,
            () = tokio::time::sleep_until(until) => false,
        }
    }
}
