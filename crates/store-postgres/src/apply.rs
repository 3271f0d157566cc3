//! What becomes of a batch of commands.
//!
//! Invariant: every answer is of a committed statement. A command whose insert met a row that its snapshot does not show is
//! asked again until one of the two is seen; it never reads as absent.

use onlyonce_ledger::{
    clock::{Asked, RemoteClock},
    store::{Applied, Command, Error, ErrorKind},
};
use sqlx::{Row as _, postgres::PgRow};

use crate::{
    batch::{Batch, Parts},
    connection::Failed,
    error::{Cause, unwritten},
    sql::Query,
    store::{Shared, timestamp},
};

/// How often an insert that meets a hidden row looks again. Each look waits for the other's commit, so the second one sees
/// it, unless it was removed meanwhile and made anew.
const LOOKS_MAX: usize = 16;

impl Shared {
    pub(crate) async fn apply(&self, commands: Vec<Command>) -> Result<Vec<Applied>, Error> {
        let mut answers = vec![None; commands.len()];
        let batch = Batch::new(commands);
        let turns = self.blocked.turns(batch.ids());
        let Parts { together, alone, not_now } = batch.parts(&turns);
        let mut failed =
            (not_now > 0).then(|| Error::new(ErrorKind::NotApplied, "another session holds the record"));
        for part in std::iter::once(together).chain(alone) {
            match self.apply_together(part, &mut answers).await {
                Ok(()) => {}
                // Nothing was applied, as far as is known: it may fare better in halves.
                Err(error) if answers.iter().all(Option::is_none) => return Err(error),
                Err(error) => failed = Some(worse(failed, error)),
            }
        }
        let Some(error) = failed else {
            return Ok(answers
                .into_iter()
                .map(|answer| answer.expect("what has not failed is decided"))
                .collect());
        };
        // What is not decided fares as badly as the worst of it.
        let kind = error.kind();
        Err(Error::each(answers.into_iter().map(|answer| answer.ok_or(kind)).collect(), error))
    }

    /// Fills in the answers of these commands, of all of them unless it fails.
    async fn apply_together(&self, mut batch: Batch, answers: &mut [Option<Applied>]) -> Result<(), Error> {
        for _ in 0..LOOKS_MAX {
            if batch.is_empty() {
                return Ok(());
            }
            let rows = self.write_batch(&batch).await?;
            let decided = batch.decide(&rows, answers);
            // It was committed, and cannot be read.
            decided.map_err(|error| unwritten(Failed::after(error)))?;
        }
        Err(Error::new(ErrorKind::Unknown, "a row that others make and remove does not show itself"))
    }

    async fn write_batch(&self, batch: &Batch) -> Result<Vec<PgRow>, Error> {
        let query = batch.query(&self.sql.apply, self.blocked.patience())?;
        let asked = RemoteClock::ask();
        match self.write(query).await {
            Ok(rows) => {
                self.blocked.passed(batch.ids());
                self.heard(asked, &rows);
                Ok(rows)
            }
            Err(failed) => {
                if failed.cause.is_lock() {
                    self.blocked.met(batch.ids());
                }
                Err(unwritten(failed))
            }
        }
    }

    /// The rows of a statement that writes, once it is committed and nobody has warned of that.
    pub(crate) async fn write(&self, query: Query<'_>) -> Result<Vec<PgRow>, Failed> {
        match self.writes.ask_hearing(query, Some(&self.warnings)).await? {
            (_, true) => Err(Failed::after(Cause::Warned)),
            (rows, false) => Ok(rows),
        }
    }

    /// Takes note of the server's time.
    pub(crate) fn heard(&self, asked: Asked, rows: &[PgRow]) {
        // Within one statement it goes on from row to row; the first is the earliest.
        if let Some(Ok(ms)) = rows.first().map(|row| row.try_get::<i64, _>("server_ms")) {
            self.clock.answered(asked, timestamp(ms));
        }
    }
}

fn worse(one: Option<Error>, other: Error) -> Error {
    one.filter(|one| one.kind() > other.kind()).unwrap_or(other)
}
