//! The embedded store keeps every rule of the seam.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::Store;
use onlyonce_store_conformance::{BoxFuture, Place, check};
use onlyonce_store_embedded::{EmbeddedStore, Options};
use tempfile::TempDir;

struct Directory(TempDir);

impl Directory {
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

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_passes_every_case() {
    check(&|| Box::new(Directory(tempfile::tempdir().unwrap()))).await.assert_passed(&[]);
}
