//! A directory with an embedded ledger, as the conformance suite uses it.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::Store;
use onlyonce_store_conformance::{BoxFuture, Place};
use onlyonce_store_embedded::{EmbeddedStore, Options};
use tempfile::TempDir;

pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn fresh() -> Box<dyn Place> {
        Box::new(Self(tempfile::tempdir().expect("a test may have a temporary directory")))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger")
    }
}

impl Place for Directory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        let store = EmbeddedStore::open(self.path(), Options::default()).expect("it can be opened");
        Box::pin(async { Arc::new(store) as Arc<dyn Store> })
    }

    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()> {
        fjall::Database::builder(self.path().join("data"))
            .open()
            .and_then(|db| {
                db.keyspace("records", || unreachable!("the store has made it"))?.insert(id.0, &*row)
            })
            .expect("a row can be written behind the store's back");
        Box::pin(async {})
    }
}
