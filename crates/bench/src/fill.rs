//! A ledger with many finished operations, written by the engine itself: each record was claimed, started and
//! completed, with parameters and a result of the sizes that the gateway gives it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Fingerprint, Owner, Policy, RecordId, event::Completion, fingerprint::Recipe};
use onlyonce_ledger::{
    Ledger,
    begin::{Claimed, Look, Request},
    identity::Secret,
};
use onlyonce_store_embedded::EmbeddedStore;

use crate::{failure::Failure, load};

/// Of ledgers that live as long as a measurement.
pub(crate) const SECRET: &str = "a benchmark has nothing to hide, and needs as many bytes as this";
/// Operations under way at once; all of them are one principal's, and that is how many one may have.
const AT_ONCE: usize = 256;
/// What is stored of an answer beside its body: status, content type, lengths.
const ANSWER_HEAD: usize = 42;

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
        // As they are shown to an owner whose key stands for something else.
        parameters: format!(r#"{{"method":"POST","path":"/transfers","body":{}}}"#, load::BODY).into(),
        ledger,
        next: AtomicU64::new(0),
        records,
        bytes: ANSWER_HEAD + bytes,
    });
    let fillers: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(Arc::clone(&filling).fill())).collect();
    for filler in fillers {
        filler.await??;
    }
    Ok(())
}

struct Filling {
    ledger: Ledger,
    parameters: Bytes,
    next: AtomicU64,
    records: u64,
    bytes: usize,
}

impl Filling {
    async fn fill(self: Arc<Self>) -> Result<(), Failure> {
        while self.next.fetch_add(1, Ordering::Relaxed) < self.records {
            let Look::Free(leader) = self.ledger.look_up(&self.request(), Duration::ZERO).await? else {
                return Err(Failure::new("a random record was there already"));
            };
            let Claimed::Attempt(attempt) = leader.claim().await? else {
                return Err(Failure::new("a random record was claimed already"));
            };
            attempt.start().await.map_err(|lost| Failure::new(format!("{lost:?}")))?;
            let result = random(self.bytes).into();
            let completed = attempt.complete(Completion::Kept { status: 201 }, result).await;
            completed.map_err(|unrecorded| Failure::new(format!("{unrecorded:?}")))?;
        }
        Ok(())
    }

    fn request(&self) -> Request {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the operating system has random bytes");
        let mut fingerprint = [0; 32];
        getrandom::fill(&mut fingerprint).expect("the operating system has random bytes");
        Request {
            id: RecordId(id),
            recipe: Recipe::V1,
            fingerprint: Fingerprint(fingerprint),
            owner: Owner([1; 16]),
            one_of_many: false,
            route: "default".into(),
            policy: Policy::default(),
            parameters: self.parameters.clone(),
        }
    }
}

/// Bytes that nothing can compress: a result's worst case.
fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}
