//! An attempt that does not find its record: its ledger has lost it, by a fail-over or a restore.
//!
//! What is lost is free for everybody, while its effect is on its way. Whoever holds the record is the one who knows, so he
//! writes it anew, as he last saw it, where nothing stands. That it can only have been lost, and what must not be
//! written over, is decided like everything else: [`Event::Vanished`]. People are told, and it is in the audit, because
//! records that nobody holds any more are lost with it, silently.
//!
//! Who has not started gets nothing back: he may have slept until his record was settled and forgotten, and has nothing to
//! record; at his end the key is free anyway. But the end of a re-run says that an earlier attempt is unknown.
//!
//! A ledger that was emptied, or is another one by now, is not written to: people begin anew there, or restore it.

use onlyonce_core::{Event, Record, Refusal};

use crate::{
    attempts::Held,
    audit::{Author, Signed},
    engine::{Change, Engine, Patience, Transition, Tries},
    error::Failure,
    writer::Class,
};

impl Engine {
    /// A change by the attempt that holds the record; `standing` is what it has last seen.
    pub(crate) async fn transition_of_holder(
        &self,
        held: &Held,
        standing: &Record,
        change: &Change,
        patience: Patience,
    ) -> Result<Transition, Failure> {
        let ended = self.transition(Some(standing.clone()), change, Class::End, patience).await?;
        let Transition::Refused(Refusal::Absent | Refusal::Superseded, found) = &ended else {
            return Ok(ended);
        };
        let ends_a_rerun = standing.earlier_unknown.is_some() && !matches!(change.event, Event::Renew(_));
        if !(held.has_started() || ends_a_rerun) {
            return Ok(ended);
        }
        // In a box, because it is rare and every end would have to be as large.
        match Box::pin(self.restored(standing, found.clone(), change, patience)).await? {
            Some(restored) => self.transition(Some(restored), change, Class::End, patience).await,
            None => Ok(ended),
        }
    }

    /// The record as it is written anew; `None` if it has moved on and was not lost.
    async fn restored(
        &self,
        standing: &Record,
        found: Option<Record>,
        change: &Change,
        patience: Patience,
    ) -> Result<Option<Record>, Failure> {
        let mut tries = Tries::new(patience);
        loop {
            match self.is_still_the_ledger().await {
                Ok(true) => break,
                Ok(false) => return Ok(None),
                Err(error) if !tries.again().await => return Err(Failure::NotApplied(error.into())),
                Err(_) => {}
            }
        }
        let why = format!("the ledger no longer had the record of the attempt with fence {}", standing.fence);
        let anew = Change {
            signed: Some(Signed {
                author: Author::program("onlyonce", why),
                action: "lost record written anew".to_owned(),
            }),
            ..Change::new(change.id, Event::Vanished(Box::new(standing.clone())))
        };
        match self.transition(found, &anew, Class::End, patience).await? {
            Transition::Written { record, .. } => {
                self.counters.vanished.increment(1);
                let operation = record.operation_ref(change.id);
                tracing::error!(
                    idempotency.operation_ref = %operation,
                    "the ledger has lost the record of an attempt that runs, and it is written anew; others may be lost \
                     for good: their keys count as new"
                );
                Ok(Some(record))
            }
            Transition::Already(record) => Ok(Some(record)),
            Transition::Refused(..) => Ok(None),
        }
    }
}
