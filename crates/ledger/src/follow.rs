//! The way of a request that repeats one which runs in this process: it follows it to its end.
//!
//! Invariant: what is shared is the news of the record; each follower is judged with its own fingerprint and its own
//! deadline, and hears of an outcome only after that is durable.

use std::sync::Arc;

use onlyonce_core::{Decision, Event, RecordId, Refusal, decide};
use tokio::time::Instant;

use crate::{
    begin::Standing,
    engine::Engine,
    error::Error,
    flights::{Ending, Follower, Phase},
};

/// What a request that runs in this process means for its repeat.
pub(crate) enum Followed {
    /// There is none: look in the store.
    Nobody,
    /// It is over and tells nothing: look in the store.
    ToNothing,
    Stands(Standing),
}

impl From<Option<Standing>> for Followed {
    fn from(standing: Option<Standing>) -> Self {
        standing.map_or(Self::ToNothing, Self::Stands)
    }
}

impl Engine {
    /// Follows the record's flight, if there is one, to its end.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        id: RecordId,
        claim: &Event,
        until: Instant,
    ) -> Result<Followed, Error> {
        let Some(flight) = self.flights.of(id) else { return Ok(Followed::Nobody) };
        let bounds = &self.options;
        let follower = self.flights.follow(flight, bounds.waiters_per_key, bounds.waiters);
        let Some(follower) = follower else {
            return self.not_waiting(id, claim).await.map(Followed::from);
        };
        let since = Instant::now();
        let ended = self.to_its_end(follower, claim, until).await;
        self.counters.wait.record(since.elapsed());
        ended
    }

    async fn to_its_end(
        &self,
        mut follower: Follower,
        claim: &Event,
        until: Instant,
    ) -> Result<Followed, Error> {
        // Who may not wait for the outcome still waits for the claim: without it there is nothing to judge by.
        let acknowledged_by = until.max(Instant::now() + self.options.store_wait);
        loop {
            let wait_until = match follower.phase() {
                Phase::Claiming => acknowledged_by,
                Phase::Running(record) => match decide(Some(&record), claim, self.now_for(Some(&record))) {
                    Decision::Refuse(refusal @ Refusal::Mismatch) => {
                        return Ok(Followed::Stands(Standing::Refused { refusal, record }));
                    }
                    _ if Instant::now() >= until => {
                        let refusal = Refusal::InProgress;
                        return Ok(Followed::Stands(Standing::Refused { refusal, record }));
                    }
                    _ => until,
                },
                Phase::Ended(ending) => return self.ended(ending, claim).map(Followed::from),
            };
            if !follower.wait(wait_until).await && matches!(follower.phase(), Phase::Claiming) {
                return Err(Error::unavailable("the claim of the first request is not acknowledged"));
            }
        }
    }

    /// Over the bound of waiters: judged on what stands, at once.
    async fn not_waiting(&self, id: RecordId, claim: &Event) -> Result<Option<Standing>, Error> {
        let Some(record) = self.read(id).await? else {
            return Err(Error::capacity("waiters"));
        };
        match decide(Some(&record), claim, self.now_for(Some(&record))) {
            Decision::Refuse(Refusal::Lapsed | Refusal::InProgress) => {
                Ok(Some(Standing::Refused { refusal: Refusal::InProgress, record: Arc::new(record) }))
            }
            Decision::Refuse(refusal) => self.stands(id, refusal, record).await.map(Some),
            Decision::Write(_) | Decision::Already => Err(Error::capacity("waiters")),
        }
    }

    /// What the end of the first request means for a follower, by its own fingerprint.
    fn ended(&self, ending: Ending, claim: &Event) -> Result<Option<Standing>, Error> {
        let (record, result, shared) = match ending {
            Ending::Look => return Ok(None),
            Ending::Failed(error) => return Err(error),
            Ending::Written(record, result) => (record, result, None),
            Ending::Shared(record, answer) => (record, None, Some(answer)),
        };
        if let (Some(answer), Event::Claim(claim)) = (shared, claim) {
            // The key is free: another request under it goes its own way.
            let same = record.fingerprint == claim.fingerprint;
            return Ok(same.then_some(Standing::Shared { record, answer }));
        }
        Ok(match (decide(Some(&record), claim, self.now_for(Some(&record))), result) {
            (Decision::Refuse(Refusal::Completed), Some(result)) => Some(Standing::Result { record, result }),
            (Decision::Refuse(Refusal::Completed | Refusal::InProgress | Refusal::Lapsed), _) => None,
            (Decision::Refuse(refusal), _) => Some(Standing::Refused { refusal, record }),
            (Decision::Write(_) | Decision::Already, _) => None,
        })
    }
}

impl Follower {
    /// Waits for news; `false` if `until` came first.
    async fn wait(&mut self, until: Instant) -> bool {
        tokio::select! {
            () = self.changed() => true,
            () = tokio::time::sleep_until(until) => false,
        }
    }
}
