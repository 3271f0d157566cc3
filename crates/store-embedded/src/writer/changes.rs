//! What a job changes, before it is written.
//!
//! Compared and collected first, so that a job is one journal write whatever it holds, and so that a second command
//! for one record sees what the first has left: both would have the same sequence number in fjall, and which of the
//! two stood would be chance. What is collected is each key's last value.

use std::collections::BTreeMap;

use bytes::Bytes;
use fjall::{OwnedWriteBatch, Slice};
use onlyonce_core::{RecordId, Version, codec};
use onlyonce_ledger::store::{Applied, Body, Command, Error, ErrorKind};

use crate::{
    keyspaces::{self, IDENTITY, Keyspaces},
    known::Known,
    writer::audit::Audit,
};

/// Most bytes of a result. fjall cuts lengths to 32 bits without a word.
const RESULT_MAX: usize = 1 << 30;

/// Bytes of an entry of the journal beside its value.
const ENTRY: usize = 37;

/// What stands before the batch, for its thread.
pub(super) struct Standing<'a> {
    pub(super) spaces: &'a Keyspaces,
    pub(super) known: &'a Known,
    /// The open rows and their versions.
    pub(super) open: &'a BTreeMap<RecordId, Version>,
}

impl Standing<'_> {
    /// The row, searched for only where there may be one.
    fn row(&self, id: RecordId) -> Result<Option<Bytes>, fjall::Error> {
        if self.known.may_have(id) {
            return self.spaces.record(id);
        }
        debug_assert!(self.spaces.record(id)?.is_none(), "a row is there whose id is not known: {id:?}");
        Ok(None)
    }
}

/// The last value of every key that changes; `None` removes it.
#[derive(Default)]
pub(super) struct Changes {
    rows: BTreeMap<RecordId, Option<Bytes>>,
    results: BTreeMap<RecordId, Option<Slice>>,
    notes: Vec<Bytes>,
    identity: Option<Bytes>,
}

/// Refuses a batch of which a row could not be read again, or a result not be kept, before anything is compared.
pub(super) fn refuse_content(batch: &[Command]) -> Result<(), Error> {
    for command in batch {
        codec::peek(&command.head).map_err(|error| Error::new(ErrorKind::Content, error))?;
        if matches!(&command.body, Body::Put { bytes, .. } if bytes.len() > RESULT_MAX) {
            return Err(Error::new(ErrorKind::Content, format!("a result has more than {RESULT_MAX} bytes")));
        }
    }
    Ok(())
}

impl Changes {
    pub(super) fn of_identity(row: Bytes) -> Self {
        Self { identity: Some(row), ..Self::default() }
    }

    pub(super) fn of_note(entry: Bytes) -> Self {
        Self { notes: vec![entry], ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.notes.is_empty() && self.identity.is_none()
    }

    /// Takes the command over if the version that it expects stands.
    ///
    /// The row is not read if it is open and has that version, or if there certainly is none: an attempt's word on its
    /// record and the claim of a new key are the usual cases, and a search through the memtable is most of what a command
    /// costs.
    pub(super) fn apply(&mut self, before: &Standing<'_>, command: Command) -> Result<Applied, fjall::Error> {
        let known = command.expect.is_some()
            && !self.rows.contains_key(&command.id)
            && before.open.get(&command.id).copied() == command.expect;
        if !known {
            let standing = match self.rows.get(&command.id) {
                Some(changed) => changed.clone(),
                None => before.row(command.id)?,
            };
            // A row whose version cannot be read equals no version: unreadable is never absent.
            let version = standing.as_deref().map(|row| codec::peek(row).ok().map(|peek| peek.version));
            if version != command.expect.map(Some) {
                return Ok(Applied::Conflict(standing));
            }
        }
        self.rows.insert(command.id, Some(command.head));
        match command.body {
            Body::Keep => {}
            Body::Put { bytes, until } => {
                self.results.insert(command.id, Some(keyspaces::with_until(until, &bytes)));
            }
            Body::Remove => _ = self.results.insert(command.id, None),
        }
        self.notes.extend(command.note);
        Ok(Applied::Yes)
    }

    /// Removes a row and its result if the row is still the one that was read.
    pub(super) fn remove(
        &mut self,
        spaces: &Keyspaces,
        id: RecordId,
        read: &Bytes,
    ) -> Result<bool, fjall::Error> {
        let stands = match self.rows.get(&id) {
            Some(changed) => changed.as_ref() == Some(read),
            None => spaces.record(id)?.as_ref() == Some(read),
        };
        if stands {
            self.rows.insert(id, None);
            self.results.insert(id, None);
        }
        Ok(stands)
    }

    /// The records that change. None has a result changed and its row not.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.rows.keys().copied()
    }

    /// About how many bytes of the journal it takes.
    pub(super) fn bytes(&self) -> usize {
        let len = |value: Option<usize>| ENTRY + value.unwrap_or_default();
        let rows = self.rows.values().map(|row| len(row.as_ref().map(Bytes::len)));
        let results = self.results.values().map(|result| len(result.as_ref().map(|result| result.len())));
        let notes = self.notes.iter().map(|note| len(Some(note.len())));
        rows.chain(results).chain(notes).sum()
    }

    /// Once durable, the entries of a batch become readable one after the other. A row that promises a result comes
    /// after the result, and a result goes after the row that promised it.
    pub(super) fn write(&self, spaces: &Keyspaces, audit: &mut Audit, batch: &mut OwnedWriteBatch) {
        let results = |kept| self.results.iter().filter(move |(_, result)| result.is_some() == kept);
        for (id, result) in results(true) {
            batch.insert(&spaces.results, id.0, result.clone().unwrap_or_else(Slice::empty));
        }
        for (id, row) in &self.rows {
            match row {
                Some(row) => batch.insert(&spaces.records, id.0, &**row),
                None => batch.remove(&spaces.records, id.0),
            }
        }
        for (id, _) in results(false) {
            batch.remove(&spaces.results, id.0);
        }
        for entry in &self.notes {
            audit.append(entry, batch);
        }
        if let Some(row) = &self.identity {
            batch.insert(&spaces.meta, IDENTITY, &**row);
        }
    }

    /// Keeps the open rows what the rows say.
    pub(super) fn update(&self, open: &mut BTreeMap<RecordId, Version>) {
        for (id, row) in &self.rows {
            match row.as_deref().map(codec::peek) {
                Some(Ok(peek)) if peek.open => _ = open.insert(*id, peek.version),
                _ => _ = open.remove(id),
            }
        }
    }
}
