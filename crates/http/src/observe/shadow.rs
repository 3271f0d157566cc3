//! The ledger of observed routes, and the bounds of what is observed at a time.

use std::sync::Arc;

use onlyonce_ledger::{Error, Ledger, Meter, Options, identity::Secret, memory::MemoryStore};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use crate::buffers::{Buffers, Reserved};

/// Most requests that are observed at a time.
pub(crate) const OBSERVED: usize = 4096;
/// Most bytes of their bodies.
pub(crate) const OBSERVED_BYTES: usize = 64 * 1024 * 1024;
/// Most operations that are remembered; the oldest are forgotten first, whatever their retention.
pub(crate) const REMEMBERED: usize = 100_000;

/// What stands for the ledger on observed routes. Opened by the first request of one.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// Most operations that it remembers.
    remembered: usize,
    ledger: OnceCell<Ledger>,
    places: Arc<Semaphore>,
    buffers: Arc<Buffers>,
}

impl Shadow {
    pub(crate) fn new() -> Self {
        Self {
            remembered: REMEMBERED,
            ledger: OnceCell::new(),
            places: Arc::new(Semaphore::new(OBSERVED)),
            buffers: Arc::new(Buffers::new(OBSERVED_BYTES)),
        }
    }

    /// A place for one request; `None`: there are too many.
    pub(crate) fn place(&self) -> Option<(OwnedSemaphorePermit, Reserved)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some((place, self.buffers.reserve(None)))
    }

    /// The ledger. It counts nowhere and says nothing: what it holds never was.
    pub(crate) async fn ledger(&self) -> Result<&Ledger, Error> {
        let open = async {
            let secret = Secret::new(Secret::generate()).map_err(|_| Error::shutting_down())?;
            let options = Options { meter: Meter::of(metrics::NoopRecorder), ..Options::default() };
            let store = Arc::new(MemoryStore::forgetful(self.remembered));
            let opened = Ledger::open(store, &secret, options).await;
            opened.map(|(ledger, _)| ledger).map_err(|_| Error::shutting_down())
        };
        self.ledger.get_or_try_init(|| open.with_subscriber(NoSubscriber::default())).await
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::{Fingerprint, Owner, Policy, RecordId, event::Completion, fingerprint::Recipe};
    use onlyonce_ledger::begin::{Claimed, Leader, Look, Request};

    use super::*;

    #[test]
    fn what_is_observed_at_a_time_is_bounded_in_number_and_in_bytes() {
        let shadow = Shadow::new();
        let mut places: Vec<_> = (0..=OBSERVED).map_while(|_| shadow.place()).collect();
        assert_eq!((places.len(), OBSERVED, OBSERVED_BYTES), (4096, 4096, 64 << 20));
        let (_, room) = &mut places[0];
        assert!(room.grow(OBSERVED_BYTES));
        assert!(!places[1].1.grow(1), "all of them have one bound");
        drop(places.remove(0));
        let (_, mut room) = shadow.place().expect("somebody has left");
        assert!(room.grow(1));
    }

    fn request(key: u8) -> Request {
        Request {
            id: RecordId([key; 16]),
            recipe: Recipe::V1,
            fingerprint: Fingerprint([1; 32]),
            owner: Owner([1; 16]),
            one_of_many: false,
            route: "POST /transfers".to_owned(),
            policy: Policy::default(),
            parameters: bytes::Bytes::new(),
        }
    }

    /// Whoever may run it, if nothing stands for it.
    async fn leader(shadow: &Shadow, key: u8) -> Option<Leader> {
        let ledger = shadow.ledger().await.unwrap();
        match ledger.look_up(&request(key), std::time::Duration::ZERO).await.unwrap() {
            Look::Free(leader) => Some(leader),
            Look::Stands(_) => None,
        }
    }

    /// Each observed request leaves a record, and nobody restarts a gateway that observes.
    #[tokio::test]
    async fn what_is_remembered_of_what_was_observed_is_bounded_in_number() {
        assert_eq!((Shadow::new().remembered, REMEMBERED), (100_000, 100_000));
        let shadow = Shadow { remembered: 2, ..Shadow::new() };
        for key in 1..=3 {
            let claimed = leader(&shadow, key).await.expect("it is new").claim().await;
            let Ok(Claimed::Attempt(attempt)) = claimed else { panic!("{claimed:?}") };
            attempt.start().await.unwrap();
            attempt.complete(Completion::Kept { status: 201 }, bytes::Bytes::new()).await.unwrap();
        }
        let mut stands = Vec::new();
        for key in 1..=3 {
            stands.push(leader(&shadow, key).await.is_none());
        }
        assert_eq!(stands, [false, true, true], "the oldest is forgotten first");
    }
}
