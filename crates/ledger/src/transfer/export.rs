//! Out of a store.
//!
//! What is open is copied last: of a closed ledger nothing else can still change, so its copy is of one moment, the end.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};

use super::{
    Error, ErrorKind, Progress, Summary,
    close::{self, Listeners},
    format::{Frame, Writer},
};
use crate::{
    identity::{Closed, Parts},
    store::{Row, Store},
};

/// Rows read at once.
const PAGE: usize = 512;
/// Results read at once: each may be as large as a result may be.
const RESULTS_AT_ONCE: usize = 16;
/// How often a row is looked at again whose result went away meanwhile.
const TRIES: usize = 4;
/// Audit entries read at once.
const AUDIT_PAGE: usize = 1_000;

/// Whether the ledger goes on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// It does not: it is closed to claims, and copied once nothing runs on it and no late answer can come.
    Move,
    /// The same for a ledger whose gateways are all stopped, so that nobody listens for late answers any more.
    MoveStopped,
    /// It does. What is claimed or ended meanwhile may be in the copy or not; for trials and for looking at.
    Copy,
}

/// Writes all of a ledger to `out`. It is not closed again if this fails or is dropped: doing it again goes on from there, and
/// [`reopen`](super::reopen) takes it back.
///
/// # Errors
/// [`Error`] if the store or the file fails, the ledger was opened or lost meanwhile, or a record was written by a newer version.
pub async fn export(
    store: Arc<dyn Store>,
    how: Export,
    out: &mut (dyn Write + Send),
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    let mut writer = Writer::begin(out)?;
    match how {
        Export::Move => close::close(&store, Listeners::MayBe, tell).await?,
        Export::MoveStopped => close::close(&store, Listeners::Gone, tell).await?,
        Export::Copy => {}
    }
    let row = store.identity().await?.ok_or_else(close::no_ledger)?;
    let source = Parts::read(&row)?;
    if let Some(Closed::Importing { was_open, .. }) = source.closed {
        return Err(close::importing(was_open));
    }
    writer.frame(&Frame::Ledger { at: store.now(), identity: source.with(None) })?;
    let mut copy = Copy { store: &store, writer: &mut writer, tell, records: 0, damaged: 0, part: 0.0 };
    copy.all().await?;
    let damaged = copy.damaged;
    audit(&*store, &mut writer).await?;
    still_there(&*store, &source, how).await?;
    let counts = writer.end()?;
    Ok(Summary {
        records: counts.records,
        results: counts.results,
        audit: counts.audit,
        damaged,
        ..Summary::default()
    })
}

/// A ledger that was opened again has taken claims that are not in the copy; one that was lost, or is another, had gaps.
async fn still_there(store: &dyn Store, source: &Parts<'_>, how: Export) -> Result<(), Error> {
    let row = store.identity().await?.ok_or_else(close::no_ledger)?;
    let now = Parts::read(&row)?;
    if now.is_same_ledger(source) && (how == Export::Copy || now.closed == source.closed) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Ledger,
        "while it was copied the ledger was opened again, or became another one: not all of it is in the file; export again",
    ))
}

/// Records on their way into the file.
struct Copy<'a, 'w> {
    store: &'a Arc<dyn Store>,
    writer: &'a mut Writer<'w>,
    tell: &'a mut (dyn FnMut(Progress) + Send),
    records: u64,
    damaged: u64,
    part: f64,
}

/// A row with its result, if it has one.
type Whole = (RecordId, Bytes, Option<Bytes>);

impl Copy<'_, '_> {
    async fn all(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.rows(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            self.part = position(*last);
            let (later, now): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|(_, row)| codec::peek(row).is_ok_and(|peek| peek.open));
            open.extend(later.into_iter().map(|(id, _)| id));
            self.write(now).await?;
        }
        for ids in open.chunks(PAGE) {
            let rows = self.store.heads(ids).await?;
            // One that is not there any more was released meanwhile, and forgotten: its key is free.
            let rows = ids.iter().zip(rows).filter_map(|(id, row)| Some((*id, row?)));
            self.write(rows.collect()).await?;
        }
        Ok(())
    }

    async fn write(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        for rows in rows.chunks(RESULTS_AT_ONCE) {
            for (id, row, result) in with_results(self.store, rows).await? {
                self.damaged += u64::from(codec::decode(&row).is_err());
                self.records += 1;
                self.writer.frame(&Frame::Record { id, row, result })?;
            }
        }
        let (records, bytes, part) = (self.records, self.writer.written(), self.part);
        (self.tell)(Progress { records, bytes, part, ..Progress::default() });
        Ok(())
    }
}

/// Where an id lies among all ids.
fn position(id: RecordId) -> f64 {
    let [a, b, c, d, ..] = id.0;
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// These rows with their results, which are all asked for at once.
async fn with_results(store: &Arc<dyn Store>, rows: &[Row]) -> Result<Vec<Whole>, Error> {
    let mut asked = Vec::new();
    for (id, row) in rows {
        let id = *id;
        let result = has_result(row)?.then(|| {
            let (store, row) = (Arc::clone(store), row.clone());
            tokio::spawn(async move { with_result(&*store, id, row).await })
        });
        asked.push((id, row.clone(), result));
    }
    let mut told = Vec::new();
    for (id, row, result) in asked {
        match result {
            Some(result) => {
                told.extend(result.await.map_err(|ended| Error::new(ErrorKind::Store, ended.to_string()))??);
            }
            None => told.push((id, row, None)),
        }
    }
    Ok(told)
}

/// Row and result are read one after the other: where the result is gone, so may be what the row says of it.
async fn with_result(store: &dyn Store, id: RecordId, row: Bytes) -> Result<Option<Whole>, Error> {
    let mut row = row;
    for _ in 0..TRIES {
        if !has_result(&row)? {
            break;
        }
        if let Some(result) = store.body(id).await? {
            return Ok(Some((id, row, Some(result))));
        }
        let Some(standing) = store.heads(&[id]).await?.into_iter().next().flatten() else { return Ok(None) };
        if standing == row {
            break;
        }
        row = standing;
    }
    Ok(Some((id, row, None)))
}

/// Whether there may be a result. A damaged row is moved as it is; one that only a newer version can read, by that version.
fn has_result(row: &[u8]) -> Result<bool, Error> {
    match codec::decode(row) {
        Ok(record) => Ok(record.result_until().is_some()),
        Err(codec::Unreadable::Damaged) => Ok(false),
        Err(newer) => Err(Error::new(
            ErrorKind::Ledger,
            format!("{newer}; export with the newest version that has used the ledger"),
        )),
    }
}

/// The audit is read newest first, and is bounded: so it is gathered before it is written oldest first.
async fn audit(store: &dyn Store, writer: &mut Writer<'_>) -> Result<(), Error> {
    for entry in all_of_the_audit(store).await?.into_iter().rev() {
        writer.frame(&Frame::Audit(entry))?;
    }
    Ok(())
}

/// Newest first.
pub(super) async fn all_of_the_audit(store: &dyn Store) -> Result<Vec<Bytes>, Error> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let page = store.audit(before, AUDIT_PAGE).await?;
        let Some((number, _)) = page.last() else { return Ok(entries) };
        before = Some(*number);
        entries.extend(page.into_iter().map(|(_, entry)| entry));
    }
}
