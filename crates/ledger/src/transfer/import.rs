//! Into a store.

use std::{
    collections::HashMap,
    io::{Read, Seek},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Decision, Event, Record, RecordId, Timestamp, codec, decide};

use super::{
    Error, ErrorKind, Progress, Step, Summary, Wrapped, close,
    export::all_of_the_audit,
    format::{Counts, Frame, Reader},
    merge::{self, Merged},
};
use crate::{
    clock::Steady,
    identity::{Closed, Parts},
    store::{Applied, BATCH_BYTES, BATCH_COMMANDS, Body, Command, Store},
};

/// How often a row is compared anew that others change; nobody should.
const TRIES: usize = 16;
/// After how many records of a file that is only checked it is told how far that is.
const CHECKED: u64 = 512;

/// Where an export is read from.
pub enum Input<'a> {
    /// A file: it is read through before anything is written, and a cut or damaged one changes nothing.
    File(&'a mut (dyn Seekable + Send)),
    /// What can be read once. Nobody knows whether its end will come, so no ledger that takes claims is closed for it.
    Stream(&'a mut (dyn Read + Send)),
}

/// What can be read again from where it was.
pub trait Seekable: Read + Seek {}

impl<T: Read + Seek> Seekable for T {}

/// Writes a ledger from `input` into a store that is empty, or has the same ledger in an earlier state. Until it ends, the store
/// opens for nobody; broken off, it is to be run again with the whole file, or with a later one. What the store has of the ledger
/// and is later, or as late, stays; also by which secret it opens.
///
/// # Errors
/// [`Error`] if the file is cut or damaged, or older than one that has not been imported to its end; if the store holds another
/// ledger, or one that takes claims and `input` is a stream; or if one of them fails.
pub async fn import(
    store: Arc<dyn Store>,
    input: Input<'_>,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    match input {
        Input::Stream(stream) => import_from(&*store, stream, IfOpen::Refused, tell).await,
        Input::File(file) => {
            let begin = file.stream_position()?;
            check(file, tell)?;
            file.seek(std::io::SeekFrom::Start(begin))?;
            import_from(&*store, file, IfOpen::Closed, tell).await
        }
    }
}

/// What is done about a ledger that takes claims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfOpen {
    Closed,
    Refused,
}

/// Reads all of it.
fn check(input: &mut (dyn Seekable + Send), tell: &mut (dyn FnMut(Progress) + Send)) -> Result<(), Error> {
    let mut reader = Reader::begin(input)?;
    reader.ledger()?;
    let mut records = 0_u64;
    while let Some(frame) = reader.content()? {
        let Frame::Record { row, .. } = frame else { continue };
        readable(&row)?;
        records += 1;
        if records.is_multiple_of(CHECKED) {
            tell(Progress { step: Step::Checking, records, bytes: reader.bytes(), ..Progress::default() });
        }
    }
    Ok(())
}

async fn import_from(
    store: &dyn Store,
    input: &mut (dyn Read + Send),
    if_open: IfOpen,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    let mut reader = Reader::begin(input)?;
    let (at, identity) = reader.ledger()?;
    let given = Parts::read(&identity)?;
    let begun = begin(store, &given, at, if_open, tell).await?;
    let mut import = Import { store, batch: Vec::new(), bytes: 0, summary: Summary::default() };
    let mut audit = Vec::new();
    while let Some(frame) = reader.content()? {
        match frame {
            Frame::Record { id, row, result } => {
                import.take(id, row, result).await?;
                let records = import.summary.records;
                tell(Progress { records, bytes: reader.bytes(), ..Progress::default() });
            }
            Frame::Audit(entry) => audit.push(entry),
            Frame::Ledger { .. } | Frame::End(_) => {}
        }
    }
    import.write().await?;
    let Counts { results, audit: entries, .. } = reader.counts();
    note(store, audit).await?;
    let secret = end(store, &given, &begun).await?;
    Ok(Summary { results, audit: entries, secret, ..import.summary })
}

/// An import under way.
struct Begun {
    closed: Closed,
    /// The identity row that was there before.
    before: Option<Bytes>,
}

/// Makes sure that the store is for this ledger, and closes it. Under which secret it opens does not change yet: it may be given
/// up.
async fn begin(
    store: &dyn Store,
    given: &Parts<'_>,
    file: Timestamp,
    if_open: IfOpen,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Begun, Error> {
    for _ in 0..close::TRIES {
        let row = store.identity().await?;
        let standing = row.as_deref().map(Parts::read).transpose()?;
        let was_open = match &standing {
            None => check_empty(store).await.map(|()| false)?,
            Some(standing) => check_same(given, standing, file)?,
        };
        let takes_claims = standing.is_some_and(|standing| standing.closed.is_none());
        if takes_claims && if_open == IfOpen::Refused {
            return Err(Error::new(
                ErrorKind::Ledger,
                "it takes keys, and would take none until the end has come of what is read, if it comes: import from a file",
            ));
        }
        let closed = Closed::Importing { since: store.now(), file, was_open };
        let parts = standing.map_or(*given, |standing| {
            let restored = standing.forgotten_before.max(given.forgotten_before);
            standing.restored(restored)
        });
        if store.set_identity(row.as_deref(), parts.with(Some(closed))).await? {
            if takes_claims {
                close::all_have_seen_it(store, tell).await;
            }
            return Ok(Begun { closed, before: row.clone() });
        }
    }
    Err(close::contended())
}

/// Opens it, with the secret that it got last; says with which.
async fn end(store: &dyn Store, given: &Parts<'_>, begun: &Begun) -> Result<Wrapped, Error> {
    for _ in 0..close::TRIES {
        let row = store.identity().await?.ok_or_else(close::no_ledger)?;
        let standing = Parts::read(&row)?;
        let parts = match standing.closed {
            // Open, it is as it should be: who opened it has lost the answer.
            None => standing,
            Some(closed) if closed == begun.closed => standing.or_wrapped_later(*given),
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Ledger,
                    "another import into it has begun meanwhile, or an export: this one is all there, and does not open it",
                ));
            }
        };
        if standing.closed.is_none() || store.set_identity(Some(&row), parts.with(None)).await? {
            let before = begun.before.as_deref().map(Parts::read).transpose()?;
            return Ok(match before {
                None => Wrapped::Alike,
                Some(before) if before.is_wrapped_as(given) => Wrapped::Alike,
                Some(_) if parts.is_wrapped_as(given) => Wrapped::AsInFile,
                Some(_) => Wrapped::AsBefore,
            });
        }
    }
    Err(close::contended())
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

/// Says whether it is whole without the file: it takes claims, or took some before an import that has not ended. Such an import
/// is ended by no older file: what only the other one has would be missing.
fn check_same(given: &Parts<'_>, standing: &Parts<'_>, file: Timestamp) -> Result<bool, Error> {
    if !standing.is_same_ledger(given) {
        return Err(Error::new(
            ErrorKind::Ledger,
            "there is another, such as a gateway makes that is started on it before the import, and nothing is written over \
             it: import where there is none yet (another schema, namespace or directory), or stop its gateways and remove \
             it if nothing of it is needed",
        ));
    }
    match standing.closed {
        None => Ok(true),
        Some(Closed::Exported { .. }) => Ok(false),
        Some(Closed::Importing { file: begun, .. }) if file < begun => Err(Error::new(
            ErrorKind::File,
            format!(
                "an import of a file of {begun} has begun and not ended, and this file is of {file}: import that one again, or a \
                 later one"
            ),
        )),
        Some(Closed::Importing { was_open, .. }) => Ok(was_open),
    }
}

/// Whether this version can say what it is; `None` where nobody can.
fn readable(row: &[u8]) -> Result<Option<Record>, Error> {
    match codec::decode(row) {
        Ok(record) => Ok(Some(record)),
        Err(codec::Unreadable::Damaged) => Ok(None),
        Err(newer) => Err(Error::new(ErrorKind::Ledger, format!("{newer}; import with that version"))),
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
        let moved = match readable(&row)? {
            Some(record) => self.ended(Moved { id, record: Some(record), row, result }),
            None => {
                self.summary.damaged += 1;
                Moved { id, record: None, row: merge::storable(row), result: None }
            }
        };
        self.bytes += moved.row.len() + moved.result.as_ref().map_or(0, Bytes::len);
        self.batch.push(moved);
        if self.batch.len() >= BATCH_COMMANDS || self.bytes >= BATCH_BYTES / 2 {
            self.write().await?;
        }
        Ok(())
    }

    /// What is in progress in a copy belongs to a process that does not know of this store; what is unknown counts by a clock that
    /// this store's does not know of.
    fn ended(&mut self, moved: Moved) -> Moved {
        let Some(record) = moved.record.as_ref().filter(|record| record.is_open()) else { return moved };
        let now = self.store.now();
        let ended = match decide(Some(record), &Event::ProcessGone, now) {
            Decision::Write(unknown) => {
                self.summary.became_unknown += 1;
                *unknown
            }
            Decision::Already | Decision::Refuse(_) => {
                Steady { since: now, ahead: Duration::ZERO }.seen(record.clone())
            }
        };
        Moved { row: codec::encode(&ended), record: Some(ended), ..moved }
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
        let Merged { over, contradiction } =
            merge::judge(standing.as_ref(), moved.record.as_ref(), self.store.now());
        if contradiction {
            self.summary.contradictions += 1;
            let name =
                |record: Option<&Record>| record.map(|record| record.operation_ref(moved.id).to_string());
            tracing::error!(
                idempotency.operation_ref = name(standing.as_ref()),
                of_the_file = name(moved.record.as_ref()),
                "ledger and file tell of two attempts under one key, and not that one had ended before the other began: look \
                 whether it was executed twice"
            );
        }
        match over {
            Some(version) => {
                let command = moved.over(Some(version));
                Some((moved, command))
            }
            None => {
                self.summary.kept += 1;
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
