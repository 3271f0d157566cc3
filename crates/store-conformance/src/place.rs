//! Where a store under test keeps its rows, and the store that a case works with.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::Store;

use crate::report::Stop;

/// A future that can be sent, of any kind.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a store keeps its rows: a directory, a database, or nothing but itself.
///
/// Opening fails by panicking: a missing backend fails the suite.
pub trait Place: Send + Sync {
    /// Opens the store, the first time and again.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;

    /// Whether rows outlive the store that wrote them. If not, what needs that is skipped, and reported so.
    fn keeps(&self) -> bool {
        true
    }

    /// Puts bytes where the record's row is kept, behind the store's back. The store is closed meanwhile, unless
    /// [`Self::keeps`] is false.
    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()>;
}

/// A store under test.
pub struct Subject {
    place: Box<dyn Place>,
    store: Option<Arc<dyn Store>>,
}

impl Subject {
    pub(crate) async fn open(place: Box<dyn Place>) -> Self {
        let store = Some(place.open().await);
        Self { place, store }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("a case has an open store"))
    }

    /// Closes the store and opens it again, as the next process would.
    pub(crate) async fn reopen(&mut self) -> Result<(), Stop> {
        if !self.place.keeps() {
            return Err(Stop::Skipped("its rows do not outlive it"));
        }
        self.close();
        self.store = Some(self.place.open().await);
        Ok(())
    }

    /// Puts a row there that the store would refuse to write.
    pub(crate) async fn plant(&mut self, id: RecordId, row: Bytes) {
        if !self.place.keeps() {
            return self.place.plant(id, row).await;
        }
        self.close();
        self.place.plant(id, row).await;
        self.store = Some(self.place.open().await);
    }

    fn close(&mut self) {
        let store = self.store.take();
        assert!(
            store.is_some_and(|store| Arc::strong_count(&store) == 1),
            "a case holds on to a closed store"
        );
    }
}
