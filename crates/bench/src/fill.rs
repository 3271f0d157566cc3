//! A ledger with many finished operations, written by the engine itself: each record was claimed, started and
//! completed, with parameters and a result of the sizes that the gateway gives it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use onlyonce_core::Policy;
use onlyonce_ledger::{Ledger, identity::Secret};
use onlyonce_store_embedded::EmbeddedStore;

use crate::{
    failure::Failure,
    operation::{Real, Way},
};

/// Of ledgers that live as long as a measurement.
pub(crate) const SECRET: &str = "a benchmark has nothing to hide, and needs as many bytes as this";
/// Operations under way at once; all of them are one principal's, and that is how many one may have.
const AT_ONCE: usize = 256;

/// Makes the ledger; returns once everything is durable and the directory is free again.
pub(crate) fn run(ledger: &Path, secret: &str, records: u64, bytes: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let filled = runtime.block_on(fill(ledger, secret, records, bytes));
    // The engine's own tasks hold the store.
    drop(runtime);
    filled
}

async fn fill(ledger: &Path, secret: &str, records: u64, bytes: usize) -> Result<(), Failure> {
    let store = Arc::new(EmbeddedStore::open(ledger, onlyonce_store_embedded::Options::default())?);
    let secret = Secret::new(secret)?;
    let (ledger, _) = Ledger::open(store, &secret, onlyonce_ledger::Options::default()).await?;
    let filling = Arc::new(Filling {
        operations: Real::new(ledger, Policy::default(), bytes),
        next: AtomicU64::new(0),
        records,
    });
    let fillers: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(Arc::clone(&filling).fill())).collect();
    for filler in fillers {
        filler.await??;
    }
    Ok(())
}

struct Filling {
    operations: Real,
    next: AtomicU64,
    records: u64,
}

impl Filling {
    async fn fill(self: Arc<Self>) -> Result<(), Failure> {
        while self.next.fetch_add(1, Ordering::Relaxed) < self.records {
            self.operations.operation().await?;
        }
        Ok(())
    }
}
