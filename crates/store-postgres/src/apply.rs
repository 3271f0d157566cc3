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
    batch::Batch,
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
        let mut batch = Batch::new(commands);
        for _ in 0..LOOKS_MAX {
            if batch.is_empty() {
                break;
            }
            let rows = self.write_batch(&batch).await?;
            batch.decide(&rows, &mut answers).map_err(unread_answer)?;
        }
        let answers: Option<Vec<_>> = answers.into_iter().collect();
        answers.ok_or_else(|| {
            Error::new(ErrorKind::Unknown, "a row that others make and remove does not show itself")
        })
    }

    async fn write_batch(&self, batch: &Batch) -> Result<Vec<PgRow>, Error> {
        let Some(patience) = self.blocked.patience(batch.ids()) else {
            return Err(Error::new(
                ErrorKind::NotApplied,
                "a record of the batch is held by another session",
            ));
        };
        let query = batch.query(&self.sql.apply, patience)?;
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
        match self.warnings.during(self.writes.ask(query)).await {
            (Ok(_), true) => Err(Failed::after(Cause::Warned)),
            (answer, _) => answer,
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

/// The statement was committed, and its answer cannot be read.
fn unread_answer(error: sqlx::Error) -> Error {
    unwritten(Failed::after(Cause::from(error)))
}
