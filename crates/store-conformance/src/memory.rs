//! Places in memory: the in-memory store as it is, and as a stand-in for a disk.

use std::sync::Arc;

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::{memory::MemoryStore, store::Store};

use crate::place::{BoxFuture, Place};

/// The in-memory store, whose rows go with it.
#[derive(Default)]
pub struct Forgetful(Arc<MemoryStore>);

impl Place for Forgetful {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::clone(&self.0) as _;
        Box::pin(async { store })
    }

    fn keeps(&self) -> bool {
        false
    }

    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()> {
        self.0.plant(id, Some(row));
        Box::pin(async {})
    }
}

/// An in-memory store that is taken for a disk: what opens it wraps it, and what has been written stays. `wrap` is
/// called at each opening.
pub struct Disk<W> {
    rows: Arc<MemoryStore>,
    wrap: W,
}

impl<W> Disk<W>
where
    W: Fn(Arc<MemoryStore>) -> Arc<dyn Store> + Send + Sync,
{
    /// An empty one.
    pub fn new(wrap: W) -> Self {
        Self { rows: Arc::default(), wrap }
    }
}

impl<W> Place for Disk<W>
where
    W: Fn(Arc<MemoryStore>) -> Arc<dyn Store> + Send + Sync,
{
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        let store = (self.wrap)(Arc::clone(&self.rows));
        Box::pin(async { store })
    }

    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()> {
        self.rows.plant(id, Some(row));
        Box::pin(async {})
    }
}
