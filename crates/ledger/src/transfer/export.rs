//! Out of a store.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};

use super::{
    Error, ErrorKind, Progress, Summary, close,
    format::{Frame, Writer},
};
use crate::{
    identity::Parts,
    store::{Row, Store},
};

/// Rows read at once.
const PAGE: usize = 512;
/// Results read at once: each may be as large as a result may be.
const RESULTS_AT_ONCE: usize = 16;
/// Audit entries read at once.
const AUDIT_PAGE: usize = 1_000;

/// Whether the ledger goes on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// It does not: it is closed to claims, and copied once nothing runs on it.
    Move,
    /// It does. What is claimed or ended meanwhile may be in the copy or not; for trials and for looking at.
    Copy,
}

/// Writes all of a ledger to `out`. It is not closed again if this fails or is dropped: doing it again goes on from there, and
/// [`reopen`](super::reopen) takes it back.
///
/// # Errors
/// [`Error`] if the store or the file fails, or a record was written by a newer version.
pub async fn export(
    store: Arc<dyn Store>,
    how: Export,
    out: &mut (dyn Write + Send),
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    let mut writer = Writer::begin(out)?;
    if how == Export::Move {
        close::close(&store, tell).await?;
    }
    let row = store.identity().await?;
    let row = row.ok_or_else(|| Error::new(ErrorKind::Ledger, "there is no ledger here"))?;
    let identity = Parts::read(&row)?.with(None);
    writer.frame(&Frame::Ledger { at: store.now(), identity })?;
    let damaged = records(&store, &mut writer, tell).await?;
    audit(&*store, &mut writer).await?;
    let counts = writer.end()?;
    Ok(Summary {
        records: counts.records,
        results: counts.results,
        audit: counts.audit,
        damaged,
        ..Summary::default()
    })
}

async fn records(
    store: &Arc<dyn Store>,
    writer: &mut Writer<'_>,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<u64, Error> {
    let (mut damaged, mut records, mut after) = (0, 0, None);
    loop {
        let page = store.rows(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(damaged) };
        after = Some(*last);
        for part in page.chunks(RESULTS_AT_ONCE) {
            for (id, row, result) in with_results(store, part).await? {
                damaged += u64::from(codec::decode(&row).is_err());
                records += 1;
                writer.frame(&Frame::Record { id, row, result })?;
            }
        }
        let part = after.map(position).unwrap_or_default();
        tell(Progress { running: 0, records, bytes: writer.written(), part });
    }
}

/// Where an id lies among all ids.
fn position(id: RecordId) -> f64 {
    let [a, b, c, d, ..] = id.0;
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// The results of these rows, all asked for at once.
async fn with_results(
    store: &Arc<dyn Store>,
    rows: &[Row],
) -> Result<Vec<(RecordId, Bytes, Option<Bytes>)>, Error> {
    let mut asked = Vec::new();
    for (id, row) in rows {
        let id = *id;
        let result = has_result(row)?.then(|| {
            let store = Arc::clone(store);
            tokio::spawn(async move { store.body(id).await })
        });
        asked.push((id, row.clone(), result));
    }
    let mut told = Vec::new();
    for (id, row, result) in asked {
        let result = match result {
            Some(result) => {
                result.await.map_err(|ended| Error::new(ErrorKind::Store, ended.to_string()))??
            }
            None => None,
        };
        told.push((id, row, result));
    }
    Ok(told)
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
