//! What a ledger does by itself, about once a minute.
//!
//! It removes what has expired, writes the lapse of leases that nobody renews (their operation may never be asked for
//! again, and people can only settle what is unknown), and counts the unknown records anew. It never lapses an attempt
//! of its own process: that one is alive and ends by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use onlyonce_core::{Record, RecordId, State};

use tokio::time::Instant;

use crate::{engine::Engine, error::Error, random};

const EVERY: Duration = Duration::from_secs(60);
/// By so much more or less where other processes make the same rounds, so that they do not meet at the same rows each time.
const JITTER_MS: u64 = 15_000;
/// Rows removed in one go of the sweep.
const SWEEP_ROWS: usize = 1_000;
/// Most goes in one round; the next takes the rest.
const SWEEPS_MAX: usize = 10_000;
/// Open rows read at once.
const PAGE: usize = 512;
/// Most lapses written in one round; the next takes the rest.
const LAPSES_MAX: usize = 4_096;

/// Makes its rounds for as long as the engine lives.
pub(crate) async fn make(engine: Weak<Engine>) {
    while let Some(alive) = engine.upgrade() {
        let pause = alive.pause();
        alive.sweep().await;
        if let Err(error) = alive.look_after_open_records().await {
            tracing::warn!(%error, "open records were not looked after; it is tried again");
        }
        drop(alive);
        tokio::time::sleep(pause).await;
    }
}

impl Engine {
    fn pause(&self) -> Duration {
        if !self.is_shared() {
            return EVERY;
        }
        let random = u64::from_ne_bytes(random::bytes());
        EVERY - Duration::from_millis(JITTER_MS) + Duration::from_millis(random % (2 * JITTER_MS))
    }

    async fn sweep(&self) {
        for _ in 0..SWEEPS_MAX {
            let since = Instant::now();
            // What others keep until a time by a clock that was set back would be gone.
            if let Err(error) = self.store.hear_time().await {
                tracing::warn!(%error, "the store does not tell its time: expired records stay for now");
                return;
            }
            match self.store.sweep(self.store.retention_now(), SWEEP_ROWS).await {
                // A server that others use has as much time for them as for this.
                Ok(SWEEP_ROWS) if self.is_shared() => tokio::time::sleep(since.elapsed()).await,
                Ok(SWEEP_ROWS) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "expired records were not removed; it is tried again");
                    return;
                }
            }
        }
    }

    async fn look_after_open_records(self: &Arc<Self>) -> Result<(), Error> {
        let quiet = self.tally.quiet();
        let mut open = 0;
        let mut unknown = HashMap::new();
        let mut lapsed = Vec::new();
        let mut after = None;
        loop {
            let page = self.open_page(after, PAGE).await?;
            if page.next.is_none() {
                break;
            }
            after = page.next;
            open += page.records.len();
            for (id, record) in page.records {
                if matches!(record.state, State::Unknown { .. }) {
                    *unknown.entry(record.route).or_default() += 1;
                } else if lapsed.len() < LAPSES_MAX && self.is_left_behind(&record) {
                    lapsed.push((id, record));
                }
            }
        }
        let undisturbed = quiet.is_some() && quiet == self.tally.quiet();
        if undisturbed || self.is_shared() {
            self.tally.counted(open, unknown);
        }
        for (id, record) in lapsed {
            if let Err(error) = self.lapse_left_behind(id, record).await {
                tracing::warn!(record = ?id, %error, "a lapse was not written; it is tried again");
            }
        }
        Ok(())
    }

    fn is_left_behind(&self, record: &Record) -> bool {
        matches!(record.state, State::InProgress { lease_until } if lease_until <= self.store.now())
            && !self.attempts.has(record.version.attempt)
    }

    async fn lapse_left_behind(&self, id: RecordId, record: Record) -> Result<(), Error> {
        tracing::warn!(idempotency.operation_ref = %record.operation_ref(id), "nobody renews this lease any more");
        self.lapse(id, Some(record)).await
    }
}
