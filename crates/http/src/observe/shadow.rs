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
    ledger: OnceCell<Ledger>,
    places: Arc<Semaphore>,
    buffers: Arc<Buffers>,
}

impl Shadow {
    pub(crate) fn new() -> Self {
        Self {
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
            let store = Arc::new(MemoryStore::forgetful(REMEMBERED));
            let opened = Ledger::open(store, &secret, options).await;
            opened.map(|(ledger, _)| ledger).map_err(|_| Error::shutting_down())
        };
        self.ledger.get_or_try_init(|| open.with_subscriber(NoSubscriber::default())).await
    }
}

#[cfg(test)]
mod tests {
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
}
