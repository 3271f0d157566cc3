//! What expires: results at the end of their retention, rows at the end of theirs, and the oldest audit entries.
//!
//! In small statements, each of which compares before it removes, holds only what has expired and leaves what somebody
//! else holds. Nothing goes by a clock that is in doubt.
//!
//! Nobody waits for it, so it leaves the server to those who claim for as long as it has kept it busy.
//!
//! Bounds: [`STATEMENT_ROWS`] rows in a statement, [`STATEMENTS_MAX`] statements in a sweep.

use std::{sync::atomic::Ordering, time::Duration};

use onlyonce_core::Timestamp;
use onlyonce_ledger::{clock::Boot, store::Error};
use sqlx::Row as _;

use crate::{
    batch::ms,
    connection::Failed,
    error::{Cause, unwritten},
    store::Shared,
};

/// Most rows that one statement removes or empties.
const STATEMENT_ROWS: usize = 100;
/// Most statements of one sweep.
const STATEMENTS_MAX: usize = 4_000;
/// Longest that it waits between two statements.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How much longer a result is there than it is promised: whose clock is a little behind that of the process that sweeps reads a
/// record by which there is one, and must find it.
pub(crate) const RESULT_GRACE: Duration = Duration::from_secs(1);
/// Most audit entries that are kept, besides those of the last round.
pub(crate) const AUDIT_ENTRIES: i64 = 10_000;
/// Most audit entries that are removed at once.
const AUDIT_TRIM: i64 = 10_000;

/// What one statement has found.
struct Swept {
    due: i64,
    removed: i64,
    last_ms: Option<i64>,
}

impl Shared {
    /// Removes up to `limit` rows, and as many results as are due on the way to them.
    pub(crate) async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, Error> {
        let now = now.min(self.clock.retention_now());
        let mut removed = 0;
        for _ in 0..STATEMENTS_MAX {
            let rows = STATEMENT_ROWS.min(limit - removed);
            let began = Boot::now();
            let swept = self.sweep_once(now, rows).await?;
            if swept.due > 0 {
                tokio::time::sleep(began.elapsed().min(PAUSE_MAX)).await;
            }
            removed += usize::try_from(swept.removed).unwrap_or(rows);
            let more = usize::try_from(swept.due).unwrap_or(0) >= rows;
            // The next sweep begins where this one stops, and after the last one at the beginning.
            let from = swept.last_ms.filter(|_| more).unwrap_or(0);
            self.swept_ms.store(from, Ordering::Relaxed);
            if !more {
                self.trim_audit().await?;
            }
            if !more || removed >= limit {
                break;
            }
        }
        Ok(removed)
    }

    async fn sweep_once(&self, now: Timestamp, rows: usize) -> Result<Swept, Error> {
        let query = sqlx::query(&self.sql.sweep)
            .bind(ms(now))
            .bind(self.swept_ms.load(Ordering::Relaxed))
            .bind(i64::try_from(rows).unwrap_or(i64::MAX));
        let rows = self.sweeps.ask(query).await.map_err(unwritten)?;
        let row = rows.first().ok_or_else(|| unwritten(Failed::after(Cause::Driver("no row".to_owned()))))?;
        let read = || {
            Ok(Swept {
                due: row.try_get("due")?,
                removed: row.try_get("removed")?,
                last_ms: row.try_get("last_ms")?,
            })
        };
        read().map_err(|error: sqlx::Error| unwritten(Failed::after(error)))
    }

    async fn trim_audit(&self) -> Result<(), Error> {
        let query = sqlx::query(&self.sql.trim_audit).bind(AUDIT_ENTRIES).bind(AUDIT_TRIM);
        self.sweeps.ask(query).await.map_err(unwritten).map(drop)
    }
}
