//! A batch of commands as the arrays of one statement, and the statement's rows as answers.
//!
//! Besides the row's bytes, what the seam knows of them goes into columns: version, open, expiry. The rest of the columns is
//! for people; a head that this version cannot decode has none of it and is written all the same.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    Record, RecordId, State, Timestamp,
    codec::{self, Peek},
};
use onlyonce_ledger::store::{Applied, Body, Command, Error, ErrorKind};
use sqlx::{
    Row as _,
    postgres::{PgBindIterExt, PgRow},
};

use crate::{
    blocked::Turn,
    sql::{Query, Sql},
    sweep::RESULT_GRACE,
};

/// The largest command. PostgreSQL takes no message of 1 GiB, and says so by closing the connection.
const COMMAND_BYTES: usize = 512 * 1024 * 1024;
/// The latest time that PostgreSQL and people can read: the end of the year 9999.
const LATEST_MS: u64 = 253_402_300_799_000;

/// Commands in the order of their ids, each with its place among those that were given.
#[derive(Debug)]
pub(crate) struct Batch {
    commands: Vec<(usize, Command)>,
}

/// A batch, taken apart.
pub(crate) struct Parts {
    pub(crate) together: Batch,
    pub(crate) alone: Vec<Batch>,
    /// How many commands are not to be sent.
    pub(crate) not_now: usize,
}

impl Batch {
    pub(crate) fn new(commands: Vec<Command>) -> Self {
        let mut commands: Vec<_> = commands.into_iter().enumerate().collect();
        commands.sort_by_key(|(_, command)| command.id);
        Self { commands }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = RecordId> + '_ {
        self.commands.iter().map(|(_, command)| command.id)
    }

    /// Takes it apart by the turn of each command.
    pub(crate) fn parts(self, turns: &[Turn]) -> Parts {
        let (mut together, mut alone, mut not_now) = (Vec::new(), Vec::new(), 0);
        for (command, turn) in self.commands.into_iter().zip(turns) {
            match turn {
                Turn::Together => together.push(command),
                Turn::Alone => alone.push(Self { commands: vec![command] }),
                Turn::NotNow => not_now += 1,
            }
        }
        Parts { together: Self { commands: together }, alone, not_now }
    }

    /// The statement `apply.sql` of this batch; of kind *content* if a command cannot be written, or not be read again.
    pub(crate) fn query(&self, sql: &Sql, patience: Duration) -> Result<Query<'static>, Error> {
        if let Some((_, large)) = self.commands.iter().find(|(_, command)| size(command) > COMMAND_BYTES) {
            let what = format!("it has {} bytes, and at most {COMMAND_BYTES} can be written", size(large));
            return Err(Error::new(ErrorKind::Content, what));
        }
        let written: Result<Vec<_>, Error> =
            self.commands.iter().map(|(_, command)| Written::of(command)).collect();
        Ok(query(sql, &written?, patience))
    }

    /// Takes the commands out that the rows decide, and puts the answers into their places. What is left was to be inserted,
    /// was not, and cannot be seen.
    pub(crate) fn decide(
        &mut self,
        rows: &[PgRow],
        answers: &mut [Option<Applied>],
    ) -> Result<(), sqlx::Error> {
        let mut decided: Vec<_> = self.commands.iter().map(|(_, command)| unseen(command)).collect();
        for row in rows {
            // The first row is the time.
            let Some(id) = row.try_get::<Option<&[u8]>, _>("id")? else { continue };
            let place = self.commands.binary_search_by(|(_, command)| command.id.0[..].cmp(id)).ok();
            if let Some(decided) = place.and_then(|place| decided.get_mut(place)) {
                let standing: Option<Vec<u8>> = row.try_get("head")?;
                *decided = Some(standing.map_or(Applied::Yes, |head| Applied::Conflict(Some(head.into()))));
            }
        }
        let mut left = Vec::new();
        for ((place, command), decided) in self.commands.drain(..).zip(decided) {
            match (decided, answers.get_mut(place)) {
                (Some(decided), Some(answer)) => *answer = Some(decided),
                _ => left.push((place, command)),
            }
        }
        self.commands = left;
        Ok(())
    }
}

/// What is known of a command that was not applied, and nothing can be seen that is in its way. An insert met something.
fn unseen(command: &Command) -> Option<Applied> {
    command.expect.map(|_| Applied::Conflict(None))
}

fn size(command: &Command) -> usize {
    let body = match &command.body {
        Body::Put { bytes, .. } => bytes.len(),
        Body::Keep | Body::Remove => 0,
    };
    command.head.len() + body + command.note.as_ref().map_or(0, Bytes::len)
}

fn query(sql: &Sql, written: &[Written<'_>], patience: Duration) -> Query<'static> {
    let (inserts, updates): (Vec<_>, Vec<_>) = written.iter().partition(|row| row.command.expect.is_none());
    let notes: Vec<_> =
        written.iter().filter_map(|row| Some((row.id(), row.command.note.as_deref()?))).collect();
    // In the order of `apply.sql`.
    let query = sqlx::query(sql)
        .bind(patience.as_millis().to_string())
        .bind(written.iter().map(Written::id).bind_iter())
        .bind(updates.iter().map(|row| row.id()).bind_iter())
        .bind(updates.iter().map(|row| row.expect_attempt()).bind_iter())
        .bind(updates.iter().map(|row| row.expect_revision()).bind_iter())
        .bind(updates.iter().map(|row| matches!(row.command.body, Body::Keep)).bind_iter());
    let query = bind_row(query, &updates).bind(inserts.iter().map(|row| row.id()).bind_iter());
    bind_row(query, &inserts)
        .bind(notes.iter().map(|(id, _)| *id).bind_iter())
        .bind(notes.iter().map(|(_, entry)| *entry).bind_iter())
}

/// What updates and inserts have in common.
fn bind_row(query: Query<'static>, rows: &[&Written<'_>]) -> Query<'static> {
    query
        .bind(rows.iter().map(|row| &row.peek.version.attempt.0[..]).bind_iter())
        .bind(rows.iter().map(|row| i64::from(row.peek.version.revision)).bind_iter())
        .bind(rows.iter().map(|row| &*row.command.head).bind_iter())
        .bind(rows.iter().map(|row| row.peek.open).bind_iter())
        .bind(rows.iter().map(|row| row.peek.expires_at.map(ms)).bind_iter())
        .bind(rows.iter().map(|row| row.result_until_ms()).bind_iter())
        .bind(rows.iter().map(|row| row.state()).bind_iter())
        .bind(rows.iter().map(|row| row.fence()).bind_iter())
        .bind(rows.iter().map(|row| row.lease_until_ms()).bind_iter())
        .bind(rows.iter().map(|row| row.first_claim_ms()).bind_iter())
        .bind(rows.iter().map(|row| row.fingerprint()).bind_iter())
        .bind(rows.iter().map(|row| row.status()).bind_iter())
        .bind(rows.iter().map(|row| row.route()).bind_iter())
        .bind(rows.iter().map(|row| row.result()).bind_iter())
}

/// What a command writes.
struct Written<'a> {
    command: &'a Command,
    peek: Peek,
    /// `None` where this version cannot read it.
    record: Option<Record>,
}

impl<'a> Written<'a> {
    fn of(command: &'a Command) -> Result<Self, Error> {
        let peek = codec::peek(&command.head).map_err(|error| Error::new(ErrorKind::Content, error))?;
        Ok(Self { command, peek, record: codec::decode(&command.head).ok() })
    }

    fn id(&self) -> &[u8] {
        &self.command.id.0
    }

    fn expect_attempt(&self) -> Option<&[u8]> {
        self.command.expect.as_ref().map(|version| &version.attempt.0[..])
    }

    fn expect_revision(&self) -> Option<i64> {
        self.command.expect.map(|version| version.revision.into())
    }

    /// From when on its result may go.
    fn result_until_ms(&self) -> Option<i64> {
        match (&self.command.body, &self.record) {
            (Body::Put { until, .. }, _) => Some(ms(until.plus(RESULT_GRACE))),
            (Body::Keep, Some(record)) => record.result_until().map(|until| ms(until.plus(RESULT_GRACE))),
            (Body::Keep | Body::Remove, _) => None,
        }
    }

    fn state(&self) -> Option<&'static str> {
        self.record.as_ref().map(|record| record.state.name().as_str())
    }

    fn fence(&self) -> Option<i64> {
        self.record.as_ref().map(|record| record.fence.0.into())
    }

    fn lease_until_ms(&self) -> Option<i64> {
        match self.record.as_ref()?.state {
            State::InProgress { lease_until } => Some(ms(lease_until)),
            State::Unknown { .. }
            | State::Released { .. }
            | State::Completed { .. }
            | State::Tombstone { .. } => None,
        }
    }

    fn first_claim_ms(&self) -> Option<i64> {
        self.record.as_ref().map(|record| ms(record.first_claim_at))
    }

    fn fingerprint(&self) -> Option<&[u8]> {
        self.record.as_ref().map(|record| &record.fingerprint.0[..])
    }

    fn status(&self) -> Option<i16> {
        let status = match self.record.as_ref()?.state {
            State::Unknown { seen_status, .. } => seen_status,
            State::Completed { status, .. } => Some(status),
            State::Tombstone { status, .. } => status,
            State::InProgress { .. } | State::Released { .. } => None,
        };
        status.and_then(|status| i16::try_from(status).ok())
    }

    /// PostgreSQL's text has no zero byte, and a record is not refused for what people are shown of it.
    fn route(&self) -> Option<Cow<'_, str>> {
        let route = &self.record.as_ref()?.route;
        Some(if route.contains('\0') { route.replace('\0', "\u{fffd}").into() } else { route.into() })
    }

    fn result(&self) -> Option<&[u8]> {
        match &self.command.body {
            Body::Put { bytes, .. } => Some(bytes),
            Body::Keep | Body::Remove => None,
        }
    }
}

pub(crate) fn ms(time: Timestamp) -> i64 {
    i64::try_from(time.as_ms().min(LATEST_MS)).unwrap_or(i64::MAX)
}
