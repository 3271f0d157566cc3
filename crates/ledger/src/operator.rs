//! What people may do: look at operations, settle unknowns, forget results, read the audit.
//!
//! Every change goes through `decide` like any other and is written together with its audit entry. Parameters are
//! opened by [`Ledger::parameters`] alone, for the conflict answer to their owner; people are not shown them.

use bytes::Bytes;
use onlyonce_core::{
    Event, OperationRef, Record, RecordId, Refusal, Timestamp,
    event::{Seen, Settle, Verdict},
    record::Source,
};

use crate::{
    Ledger,
    audit::{self, Author, Entry, Signed},
    engine::{Change, OpenPage, Patience, Transition},
    error::{Error, Failure},
    seal::Content,
    writer::Class,
};

/// Most records or audit entries in one page.
pub const PAGE_MAX: usize = 1_000;

/// A page of the audit.
#[derive(Clone, Debug)]
pub struct Entries {
    /// The entries with their numbers, newest first.
    pub entries: Vec<(u64, Entry)>,
    /// The `before` of the next page, if there is one.
    pub next: Option<u64>,
}

/// A record with its name.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its public name.
    pub reference: OperationRef,
    /// What the ledger holds.
    pub record: Record,
}

/// A page of open records.
#[derive(Clone, Debug)]
pub struct OpenRecords {
    /// Those that can be read.
    pub listed: Vec<Listed>,
    /// After which record the next page begins, also where no row of this one can be read; `None`: there are no more.
    pub next: Option<RecordId>,
}

/// What a probe or an operator decided about an unknown.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which of them.
    pub by: Source,
    /// What he looked at.
    pub seen: Seen,
    /// What he decided.
    pub verdict: Verdict,
    /// What repeats will get, if it was applied.
    pub result: Bytes,
    /// Who and why.
    pub author: Author,
}

impl Ledger {
    /// A page of open records, in the order of their ids, after the one given.
    ///
    /// # Errors
    /// [`Error`] if the ledger cannot be read. Rows that cannot be decoded are left out and logged.
    pub async fn open_records(&self, after: Option<RecordId>, limit: usize) -> Result<OpenRecords, Error> {
        let OpenPage { records, next } = self.0.open_page(after, limit.min(PAGE_MAX)).await?;
        let named = |(id, record): (RecordId, Record)| Listed { reference: record.operation_ref(id), record };
        Ok(OpenRecords { listed: records.into_iter().map(named).collect(), next })
    }

    /// One operation; `None` if there is none of this name any more.
    ///
    /// # Errors
    /// [`Error`] if the ledger or the record cannot be read.
    pub async fn operation(&self, reference: OperationRef) -> Result<Option<Record>, Error> {
        let record = self.record(reference.record).await?;
        Ok(record.filter(|record| record.first_claim_at == reference.first_claim_at))
    }

    /// The record of a scope and key; `None` if it is absent, or its retention has ended.
    ///
    /// # Errors
    /// [`Error`] if the ledger or the record cannot be read.
    pub async fn record(&self, id: RecordId) -> Result<Option<Record>, Error> {
        Ok(self.0.read(id).await?.and_then(|mut record| {
            record.state = record.at(self.0.now_for(Some(&record)))?;
            Some(record)
        }))
    }

    /// A record's redacted parameters; `None` if there are none, or they are damaged.
    pub fn parameters(&self, id: RecordId, record: &Record) -> Option<Bytes> {
        self.0.sealer.open(Content::Parameters, id, record.version.attempt, &record.parameters)
    }

    /// Settles an unknown. The inner error is the record's refusal: nothing changed. What an operator settles is said in
    /// the log. Goes on if it is dropped half way.
    ///
    /// # Errors
    /// [`Error`] if the ledger is closed: it goes on elsewhere, and is settled there. Or if it failed; whether it is settled
    /// can be looked up.
    pub async fn settle(
        &self,
        reference: OperationRef,
        settlement: Settlement,
    ) -> Result<Result<Record, Refusal>, Error> {
        let Settlement { by, seen, verdict, result, author } = settlement;
        let event = Event::Settle(Settle { by, seen, verdict });
        let signed = Signed { author, action: verdict.action() };
        self.change(reference, event, Some(result), signed).await
    }

    /// Removes a result and leaves a bare tombstone. The inner error is the record's refusal: nothing changed. Goes on if
    /// it is dropped half way.
    ///
    /// # Errors
    /// [`Error`] if the ledger is closed, or failed.
    pub async fn forget(
        &self,
        reference: OperationRef,
        seen: Seen,
        author: Author,
    ) -> Result<Result<Record, Refusal>, Error> {
        let signed = Signed { author, action: "forget".to_owned() };
        self.change(reference, Event::Forget(seen), None, signed).await
    }

    /// A page of the audit, newest first, before the entry of this number.
    ///
    /// # Errors
    /// [`Error`] if the ledger cannot be read.
    pub async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Entries, Error> {
        let limit = limit.min(PAGE_MAX);
        // One more tells whether there is a next page.
        let mut page = self.0.store.audit(before, limit + 1).await?;
        let is_last = page.len() <= limit;
        page.truncate(limit);
        let next = page.last().map(|(number, _)| *number).filter(|_| !is_last);
        let read = |(number, entry): (u64, Bytes)| Some((number, audit::read(&entry)?));
        Ok(Entries { entries: page.into_iter().filter_map(read).collect(), next })
    }

    /// The ledger's time.
    pub fn now(&self) -> Timestamp {
        self.0.store.now()
    }

    /// The time by which it is judged what has ended for good: [`now`](Self::now), or what is certain where the clock is in doubt.
    pub fn retention_now(&self) -> Timestamp {
        self.0.store.retention_now()
    }

    /// Changes a record by the hand of somebody who may go away meanwhile: broken off between the store's word and the
    /// ledger's books, it would leave the count of unknowns wrong.
    async fn change(
        &self,
        reference: OperationRef,
        event: Event,
        result: Option<Bytes>,
        signed: Signed,
    ) -> Result<Result<Record, Refusal>, Error> {
        let ledger = self.clone();
        let change = async move {
            let by_hand = !matches!(event, Event::Settle(Settle { by: Source::Probe | Source::Attempt, .. }));
            let action = signed.action.clone();
            let ended = ledger.changed(reference, event, result, signed).await;
            if by_hand {
                tell(reference, &action, &ended);
            }
            ended
        };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(Error::shutting_down()))
    }

    async fn changed(
        &self,
        reference: OperationRef,
        event: Event,
        result: Option<Bytes>,
        signed: Signed,
    ) -> Result<Result<Record, Refusal>, Error> {
        let engine = &self.0;
        engine.gate.passes()?;
        let id = reference.record;
        let standing = engine.read(id).await?;
        let Some(found) = standing.filter(|record| record.first_claim_at == reference.first_claim_at) else {
            return Ok(Err(Refusal::Absent));
        };
        let attempt = found.version.attempt;
        let change = Change {
            id,
            event,
            result: result.map(|plain| engine.sealer.seal(Content::Result, id, attempt, &plain)),
            signed: Some(signed),
        };
        let patience = Patience::For(engine.options.store_wait);
        let transition = engine.transition(Some(found), &change, Class::Other, patience).await;
        Ok(match transition.map_err(Failure::into_error)? {
            Transition::Written { record, .. } | Transition::Already(record) => Ok(record),
            Transition::Refused(refusal, _) => Err(refusal),
        })
    }
}

fn tell(reference: OperationRef, action: &str, ended: &Result<Result<Record, Refusal>, Error>) {
    match ended {
        Ok(Ok(_)) => {
            tracing::info!(idempotency.operation_ref = %reference, action, "an operator changed an operation")
        }
        Ok(Err(refusal)) => {
            tracing::info!(idempotency.operation_ref = %reference, action, refusal = refusal.as_str(), "an operator was refused")
        }
        Err(error) => {
            tracing::error!(idempotency.operation_ref = %reference, action, %error, "what an operator changed may not be on record")
        }
    }
}
