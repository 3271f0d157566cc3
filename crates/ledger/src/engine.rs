//! What all parts of the engine share, and the one way in which a record changes.
//!
//! [`Engine::transition`] is that way: decide, write as compare-and-set, and on a conflict decide again on what
//! stands. A reply that was lost is answered by sending the same bytes again: finding them there is success.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{
    Decision, Event, Record, RecordId, Refusal, State, Timestamp, codec, decide, event::Verdict,
};
use tokio::time::Instant;

use crate::{
    admission::Admission,
    attempts::Attempts,
    audit::{self, Signed},
    clock::Boot,
    counters::Counters,
    doubted::Doubted,
    elsewhere::Elsewhere,
    error::{Error, Failure},
    flights::Flights,
    gate::Gate,
    identity::Identity,
    seal::Sealer,
    store::{self, Applied, Body, Command, ErrorKind, Store},
    tally::Tally,
    writer::{Class, Writer},
};

/// How often a conflict is decided anew before the record counts as contended beyond use.
const CONFLICTS_MAX: usize = 64;
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) writer: Writer,
    pub(crate) identity: Identity,
    pub(crate) gate: Gate,
    pub(crate) sealer: Sealer,
    pub(crate) options: crate::Options,
    pub(crate) flights: Arc<Flights>,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) attempts: Attempts,
    pub(crate) admission: Arc<Admission>,
    pub(crate) doubted: Arc<Doubted>,
    pub(crate) tally: Tally,
    pub(crate) counters: Counters,
    /// Bytes of results whose completion is still being tried.
    pub(crate) pending_bytes: AtomicU64,
    pub(crate) late_outcomes: AtomicU64,
}

/// A page of open records.
pub(crate) struct OpenPage {
    pub(crate) records: Vec<(RecordId, Record)>,
    /// The last row of the page, readable or not, after which the next begins; `None`: there was no row.
    pub(crate) next: Option<RecordId>,
}

/// A change to one record.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) id: RecordId,
    pub(crate) event: Event,
    /// The sealed result, for events that complete.
    pub(crate) result: Option<Bytes>,
    /// Who is to be named in the audit, for changes made by people.
    pub(crate) signed: Option<Signed>,
}

impl Change {
    pub(crate) fn new(id: RecordId, event: Event) -> Self {
        Self { id, event, result: None, signed: None }
    }
}

/// How a change ended.
#[derive(Debug)]
pub(crate) enum Transition {
    /// By this change; `before` is what it was decided on.
    Written {
        record: Record,
        before: Option<Box<Record>>,
    },
    Already(Record),
    Refused(Refusal, Option<Record>),
}

/// How long a change is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Until this has passed since the first try.
    For(Duration),
    /// Until the store says yes or no.
    Endless,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("store", &self.store.capabilities().name).finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads a record. What is there and cannot be read is an error, never absent.
    pub(crate) async fn read(&self, id: RecordId) -> Result<Option<Record>, Error> {
        self.decoded(id, self.row(id).await?)
    }

    /// The row of a record.
    pub(crate) async fn row(&self, id: RecordId) -> Result<Option<Bytes>, store::Error> {
        let rows = self.store.heads(&[id]).await.inspect_err(|error| self.writer.met(error))?;
        Ok(rows.into_iter().next().flatten())
    }

    /// What a row says, by the clock of now.
    pub(crate) fn decoded(&self, id: RecordId, row: Option<Bytes>) -> Result<Option<Record>, Error> {
        let record = row.map(|row| codec::decode(&row)).transpose();
        let record = record.map_err(|unreadable| self.alarm(id, unreadable))?;
        Ok(record.map(|record| self.store.steady().seen(record)))
    }

    /// Reads a record that only time has changed. The time is heard after the row was read: if the server's clock was set back
    /// and this process has not heard of it, what others have written since seems to have ended.
    async fn read_with_time(&self, id: RecordId) -> Result<Option<Record>, Error> {
        let row = self.row(id).await?;
        self.store.hear_time().await?;
        self.decoded(id, row)
    }

    /// A page of open records after the one given. Rows that cannot be read are left out and logged.
    pub(crate) async fn open_page(
        &self,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<OpenPage, store::Error> {
        let rows = self.store.open(after, limit).await?;
        let next = rows.last().map(|(id, _)| *id);
        let steady = self.store.steady();
        let read = |(id, row): (RecordId, Bytes)| match codec::decode(&row) {
            Ok(record) => Some((id, steady.seen(record))),
            Err(error) => {
                self.counters.unreadable(error);
                tracing::error!(record = ?id, %error, "an open record cannot be read");
                None
            }
        };
        Ok(OpenPage { records: rows.into_iter().filter_map(read).collect(), next })
    }

    /// The time by which a record is judged. What a doubtful clock calls past its retention still stands.
    pub(crate) fn now_for(&self, record: Option<&Record>) -> Timestamp {
        let kept =
            |record: &&Record| matches!(record.state, State::Completed { .. } | State::Tombstone { .. });
        let sure = self.store.retention_now();
        match record.filter(kept) {
            Some(record) if record.at(sure).is_some() => sure,
            _ => self.store.now(),
        }
    }

    /// Whether other processes use the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.capabilities().shared
    }

    /// From when a lease counts that is asked for now: as its record will say it, by a clock that may be behind.
    pub(crate) fn lease_from(&self) -> Boot {
        Boot::now().minus(self.store.lag())
    }

    /// Whether this process knows something of a record that the store would have to say. Somebody who is claiming it
    /// right now may be granted it.
    pub(crate) fn is_at_stake(&self, id: RecordId) -> bool {
        self.doubted.has(id) || self.attempts.has_one_at(id) || self.flights.of(id).is_some()
    }

    /// Makes one change, starting from what `standing` is believed to be.
    pub(crate) async fn transition(
        &self,
        mut standing: Option<Record>,
        change: &Change,
        class: Class,
        patience: Patience,
    ) -> Result<Transition, Failure> {
        let mut tries = Tries::new(patience);
        let mut time_is_sure = !self.is_shared();
        for _ in 0..CONFLICTS_MAX {
            let now = self.now_for(standing.as_ref());
            let record = match decide(standing.as_ref(), &change.event, now) {
                Decision::Write(record) => *record,
                Decision::Already => {
                    return Ok(Transition::Already(
                        standing.expect("only a record that stands is so already"),
                    ));
                }
                Decision::Refuse(refusal) => return Ok(Transition::Refused(refusal, standing)),
            };
            if !time_is_sure && by_time_alone(standing.as_ref(), &change.event) {
                // In a box, because it is rare and every change would have to be as large.
                let read = tries.bound(Box::pin(self.read_with_time(change.id))).await;
                let read = read.unwrap_or_else(|| Err(Error::unavailable("no reply in time")));
                standing = read.map_err(Failure::NotApplied)?;
                time_is_sure = true;
                continue;
            }
            let command = Command {
                id: change.id,
                expect: standing.as_ref().map(|record| record.version),
                head: codec::encode(&record),
                body: body(standing.as_ref(), &record, change.result.as_ref()),
                note: change.signed.as_ref().map(|signed| {
                    let reference = record.operation_ref(change.id);
                    audit::entry(signed, reference, standing.as_ref(), Some(&record), now)
                }),
            };
            let _changing = self.tally.changing();
            match self.write(command, class, &mut tries).await? {
                Landed::Yes => {
                    self.tally.changed(change.id, &change.event, standing.as_ref(), &record);
                    return Ok(Transition::Written { record, before: standing.map(Box::new) });
                }
                Landed::Conflict(found) => {
                    standing = self.decoded(change.id, found).map_err(Failure::NotApplied)?;
                    time_is_sure = !self.is_shared();
                }
            }
        }
        Err(Failure::NotApplied(Error::unavailable("too many writers want this record")))
    }

    /// Writes one command until the store has said what became of it, or patience ends.
    async fn write(&self, command: Command, class: Class, tries: &mut Tries) -> Result<Landed, Failure> {
        loop {
            // A claim that may have landed already holds its place: sent again, it is never turned away.
            let class = if tries.in_doubt && class == Class::Claim { Class::End } else { class };
            let Some(submitted) = tries.bound(self.writer.submit(class, command.clone())).await else {
                return Err(Failure::InDoubt(Error::unavailable("no reply in time")));
            };
            let Some(answer) = submitted else {
                // What was sent before may have landed all the same.
                return Err(match tries.in_doubt {
                    true => Failure::InDoubt(Error::unavailable("no room to ask what became of it")),
                    false => Failure::NotApplied(Error::capacity("ledger queue")),
                });
            };
            match answer {
                Ok(Applied::Yes) => return Ok(Landed::Yes),
                // Without a lost reply the same bytes are somebody else's, who saw the same at the same time.
                Ok(Applied::Conflict(Some(row))) if tries.in_doubt && row == command.head => {
                    return Ok(Landed::Yes);
                }
                Ok(Applied::Conflict(found)) => return Ok(Landed::Conflict(found)),
                Err(error) => {
                    tries.in_doubt |= matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Poisoned);
                    let hopeless = matches!(error.kind(), ErrorKind::Content | ErrorKind::Poisoned);
                    if hopeless || !tries.again().await {
                        return Err(Failure::of_store(error, tries.in_doubt));
                    }
                }
            }
        }
    }

    fn alarm(&self, id: RecordId, unreadable: codec::Unreadable) -> codec::Unreadable {
        self.counters.unreadable(unreadable);
        tracing::error!(record = ?id, error = %unreadable, "a record cannot be read; its key is refused, not taken for new");
        unreadable
    }
}

/// Whether the event changes the record only because so much time has passed.
fn by_time_alone(standing: Option<&Record>, event: &Event) -> bool {
    match event {
        Event::Lapse => true,
        Event::Settle(settle) => settle.verdict == Verdict::NotApplied { forced: false },
        // Over one that is unknown, or that has expired.
        Event::Claim(_) => standing.is_some_and(|record| !matches!(record.state, State::Released { .. })),
        Event::Renew(_)
        | Event::Complete(..)
        | Event::Release(..)
        | Event::LoseTrack(..)
        | Event::ProcessGone
        | Event::Forget(_)
        | Event::Vanished(_) => false,
    }
}

enum Landed {
    Yes,
    Conflict(Option<Bytes>),
}

/// What happens to the result's bytes when a record changes.
fn body(before: Option<&Record>, after: &Record, result: Option<&Bytes>) -> Body {
    match (after.result_until(), result) {
        (Some(until), Some(result)) => Body::Put { bytes: result.clone(), until },
        (Some(_), None) => Body::Keep,
        (None, _) if before.is_some_and(|record| record.result_until().is_some()) => Body::Remove,
        (None, _) => Body::Keep,
    }
}

/// Tries of one thing, further and further apart.
pub(crate) struct Tries {
    until: Option<Instant>,
    pause: Duration,
    in_doubt: bool,
}

impl Tries {
    pub(crate) fn new(patience: Patience) -> Self {
        let until = match patience {
            Patience::For(time) => Some(Instant::now() + time),
            Patience::Endless => None,
        };
        Self { until, pause: BACKOFF_FIRST, in_doubt: false }
    }

    /// `None` if patience ends first.
    async fn bound<T>(&self, reply: impl Future<Output = T>) -> Option<T> {
        match self.until {
            Some(until) => tokio::time::timeout_at(until, reply).await.ok(),
            None => Some(reply.await),
        }
    }

    /// Waits a little longer each time; `false` once patience has ended.
    pub(crate) async fn again(&mut self) -> bool {
        if self.until.is_some_and(|until| Instant::now() + self.pause >= until) {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(BACKOFF_MAX);
        true
    }
}
