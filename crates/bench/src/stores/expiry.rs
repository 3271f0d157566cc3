//! What the expiry of a million records costs those who claim meanwhile.
//!
//! The same callers go on all the time; they are counted for a while before, during the expiry from its first sweep to its
//! last, and for a while after it. The sweeps are those of a ledger's own round: a thousand records each, one after the other.

use std::{path::Path, sync::Arc, time::Duration};

use onlyonce_core::Policy;
use onlyonce_ledger::store::Store;

use super::{
    callers::{Callers, Measured},
    expired, ledgers,
    rounds::{self, Place},
    run::Scale,
    servers::Servers,
    unswept::Unswept,
};
use crate::{failure::Failure, report};

pub(crate) const CALLERS: usize = 64;
/// Records that one sweep removes, as in a ledger's round.
const SWEEP_ROWS: usize = 1_000;

/// What one store gave.
pub(crate) struct Expiry {
    pub(crate) place: Place,
    pub(crate) records: usize,
    pub(crate) before: Measured,
    pub(crate) during: Measured,
    pub(crate) after: Measured,
}

pub(crate) async fn measure(
    servers: &Servers,
    directory: &Path,
    scale: &Scale,
) -> Result<Vec<Expiry>, Failure> {
    let mut all = Vec::new();
    for place in [Place::Embedded, Place::Postgres, Place::Redis, Place::Cluster] {
        if !scale.wants(place) {
            continue;
        }
        report::note(format_args!("{place:?}: {} records", scale.expiring));
        let store = match place {
            Place::Memory | Place::Embedded => ledgers::embedded(&directory.join("expiry"))?,
            Place::Postgres => ledgers::postgres(&servers.postgres.url(), "bench_expiry").await?,
            Place::Redis => ledgers::redis(&servers.redis.url(), "bench_expiry").await?,
            Place::Cluster => ledgers::redis(&servers.cluster.url(), "bench_expiry").await?,
        };
        all.push(one(servers, place, store, scale).await?);
    }
    Ok(all)
}

async fn one(
    servers: &Servers,
    place: Place,
    store: Arc<dyn Store>,
    scale: &Scale,
) -> Result<Expiry, Failure> {
    let parties = rounds::parties(servers, place);
    let way = ledgers::on(Arc::new(Unswept(Arc::clone(&store))), Policy::default()).await?;
    expired::fill(&store, scale.expiring).await?;
    let callers = Callers::start(way, CALLERS)?;
    let pause = || tokio::time::sleep(scale.beside);
    // bounded: by the plan; the load goes on meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ((), before) = callers.count(&parties, pause()).await?;
    let (swept, during) = callers.count(&parties, sweep_all(&*store)).await?;
    let ((), after) = callers.count(&parties, pause()).await?;
    callers.stop().await?;
    match swept? {
        records if records == scale.expiring => Ok(Expiry { place, records, before, during, after }),
        records => Err(Failure::new(format!("{records} records were removed of {}", scale.expiring))),
    }
}

async fn sweep_all(store: &dyn Store) -> Result<usize, Failure> {
    let mut removed = 0;
    loop {
        match store.sweep(store.retention_now(), SWEEP_ROWS).await? {
            0 => return Ok(removed),
            more => removed += more,
        }
    }
}
