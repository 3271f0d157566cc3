//! Into a store.

use std::{collections::HashMap, io::Read, sync::Arc};

use bytes::Bytes;
use onlyonce_core::{Decision, Event, Record, RecordId, State, codec, decide};

use super::{
    Error, ErrorKind, Progress, Summary, close,
    export::all_of_the_audit,
    format::{Frame, Reader},
    merge::{self, Merged},
};
use crate::{
    identity::{Closed, Parts},
    store::{Applied, BATCH_BYTES, BATCH_COMMANDS, Body, Command, Store},
};

/// How often a row is compared anew that others change; nobody should.
const TRIES: usize = 16;

/// Writes a ledger from `input` into a store that is empty, or has the same ledger in an earlier state. Until it ends, the store
/// opens for nobody; broken off, it is to be run again with the whole file. What the store has of the ledger and is later, or as
/// late, stays.
///
/// # Errors
/// [`Error`] if the file is cut or damaged, the store holds another ledger, or one of them fails.
pub async fn import(
    store: Arc<dyn Store>,
    input: &mut (dyn Read + Send),
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    let mut reader = Reader::begin(input)?;
    let Frame::Ledger { identity, .. } = reader.frame()? else {
        return Err(Error::new(ErrorKind::File, "the file does not begin with a ledger"));
    };
    begin(&*store, &identity).await?;
    let mut import = Import { store: &*store, batch: Vec::new(), bytes: 0, summary: Summary::default() };
    let mut audit = Vec::new();
    let counts = loop {
        match reader.frame()? {
            Frame::Record { id, row, result } => {
                import.take(id, row, result).await?;
                let records = import.summary.records;
                tell(Progress { records, bytes: reader.bytes(), ..Progress::default() });
            }
            Frame::Audit(entry) => audit.push(entry),
            Frame::End(counts) => break counts,
            Frame::Ledger { .. } => {
                return Err(Error::new(ErrorKind::File, "the file holds more than one ledger"));
            }
        }
    };
    import.write().await?;
    let mut summary = import.summary;
    (summary.results, summary.audit) = (counts.results, counts.audit);
    note(&*store, audit).await?;
    // Nobody else ends an import, and an open ledger is as it should be.
    close::set(&*store, |_| Ok(None)).await?;
    Ok(summary)
}

/// Makes sure that the store is for this ledger, and closes it. The key is wrapped as the file has it.
async fn begin(store: &dyn Store, identity: &Bytes) -> Result<(), Error> {
    let given = Parts::read(identity)?;
    for _ in 0..close::TRIES {
        let standing = store.identity().await?;
        let (was_open, restored) = match &standing {
            None => check_empty(store).await.map(|()| (false, None))?,
            Some(row) => {
                let parts = Parts::read(row)?;
                (check_same(&given, &parts)?, parts.forgotten_before)
            }
        };
        let importing = Closed::Importing { since: store.now() };
        let importing = given.restored(restored).with(Some(importing));
        if store.set_identity(standing.as_deref(), importing).await? {
            if was_open {
                close::all_have_seen_it(store).await;
            }
            return Ok(());
        }
    }
    Err(Error::new(
        ErrorKind::Store,
        "others change the ledger's identity all the time; it can be done again",
    ))
}

async fn check_empty(store: &dyn Store) -> Result<(), Error> {
    match store.is_empty().await? {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Ledger,
            "the store holds records of a ledger that has lost its identity; a ledger is imported into an empty store",
        )),
    }
}

/// Says whether it takes claims.
fn check_same(given: &Parts<'_>, standing: &Parts<'_>) -> Result<bool, Error> {
    match standing.is_same_ledger(given) {
        true => Ok(standing.closed.is_none()),
        false => Err(Error::new(
            ErrorKind::Ledger,
            "the store holds another ledger; a ledger is imported into an empty store, or into itself",
        )),
    }
}

struct Import<'a> {
    store: &'a dyn Store,
    batch: Vec<Moved>,
    bytes: usize,
    summary: Summary,
}

/// A record on its way.
#[derive(Clone)]
struct Moved {
    id: RecordId,
    /// `None` if it cannot be read.
    record: Option<Record>,
    row: Bytes,
    result: Option<Bytes>,
}

impl Import<'_> {
    async fn take(&mut self, id: RecordId, row: Bytes, result: Option<Bytes>) -> Result<(), Error> {
        self.summary.records += 1;
        let moved = match codec::decode(&row) {
            Ok(record) => self.ended(Moved { id, record: Some(record), row, result }),
            Err(codec::Unreadable::Damaged) => {
                self.summary.damaged += 1;
                Moved { id, record: None, row: merge::storable(row), result: None }
            }
            Err(newer) => {
                return Err(Error::new(ErrorKind::Ledger, format!("{newer}; import with that version")));
            }
        };
        self.bytes += moved.row.len() + moved.result.as_ref().map_or(0, Bytes::len);
        self.batch.push(moved);
        if self.batch.len() >= BATCH_COMMANDS || self.bytes >= BATCH_BYTES / 2 {
            self.write().await?;
        }
        Ok(())
    }

    /// What is in progress in a copy belongs to a process that does not know of this store.
    fn ended(&mut self, moved: Moved) -> Moved {
        let Some(record) =
            moved.record.as_ref().filter(|record| matches!(record.state, State::InProgress { .. }))
        else {
            return moved;
        };
        match decide(Some(record), &Event::ProcessGone, self.store.now()) {
            Decision::Write(unknown) => {
                self.summary.became_unknown += 1;
                Moved { row: codec::encode(&unknown), record: Some(*unknown), ..moved }
            }
            Decision::Already | Decision::Refuse(_) => moved,
        }
    }

    /// Writes the batch: where nothing stands at once, and over what stands if that is earlier.
    async fn write(&mut self) -> Result<(), Error> {
        let mut commands: Vec<_> = self.batch.iter().map(|moved| (moved.clone(), moved.over(None))).collect();
        (self.batch, self.bytes) = (Vec::new(), 0);
        for _ in 0..TRIES {
            if commands.is_empty() {
                return Ok(());
            }
            let batch = commands.iter().map(|(_, command)| command.clone()).collect();
            let applied = self.store.apply(batch).await?;
            let mut again = Vec::new();
            for ((moved, command), applied) in commands.into_iter().zip(applied) {
                match applied {
                    Applied::Yes => {}
                    Applied::Conflict(None) => again.push((moved.clone(), moved.over(None))),
                    // From a try before.
                    Applied::Conflict(Some(row)) if row == command.head => self.summary.kept += 1,
                    Applied::Conflict(Some(row)) => again.extend(self.met(moved, &row)),
                }
            }
            commands = again;
        }
        Err(Error::new(
            ErrorKind::Store,
            "others change the records that are imported; stop them, and do it again",
        ))
    }

    /// Something stands: it is kept, or written over.
    fn met(&mut self, moved: Moved, row: &Bytes) -> Option<(Moved, Command)> {
        let standing = codec::decode(row).ok();
        match merge::judge(standing.as_ref(), moved.record.as_ref(), self.store.now()) {
            Merged::Over(version) => {
                let command = moved.over(Some(version));
                Some((moved, command))
            }
            Merged::Keep => {
                self.summary.kept += 1;
                None
            }
            Merged::Contradiction => {
                self.summary.kept += 1;
                self.summary.contradictions += 1;
                let operation = moved.record.map(|record| record.operation_ref(moved.id).to_string());
                tracing::error!(
                    idempotency.operation_ref = operation,
                    "both ledgers have claimed this key on their own: look whether it was executed twice"
                );
                None
            }
        }
    }
}

impl Moved {
    fn over(&self, expect: Option<onlyonce_core::Version>) -> Command {
        let until = self.record.as_ref().and_then(Record::result_until);
        let body = match (&self.result, until) {
            (Some(result), Some(until)) => Body::Put { bytes: result.clone(), until },
            // What stands there may have had a result.
            _ if expect.is_some() => Body::Remove,
            _ => Body::Keep,
        };
        Command { id: self.id, expect, head: self.row.clone(), body, note: None }
    }
}

/// Appends what the audit does not have yet, in its order.
async fn note(store: &dyn Store, entries: Vec<Bytes>) -> Result<(), Error> {
    let mut there = HashMap::<Bytes, usize>::new();
    for entry in all_of_the_audit(store).await? {
        *there.entry(entry).or_default() += 1;
    }
    for entry in entries {
        match there.get_mut(&entry) {
            Some(count) if *count > 0 => *count -= 1,
            _ => store.note(entry).await?,
        }
    }
    Ok(())
}
