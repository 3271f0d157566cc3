//! A schema of a PostgreSQL, as the conformance suite uses it.

use std::sync::Arc;

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::Store;
use onlyonce_store_conformance::{BoxFuture, Place};
use onlyonce_store_postgres::{Options, PostgresStore};
use onlyonce_testbed::servers::{self, postgres::ask};

/// A schema of its own on a server that is shared.
pub(crate) struct Schema {
    url: String,
    name: String,
}

impl Schema {
    pub(crate) fn of(url: &str) -> Box<dyn Place> {
        Box::new(Self { url: url.to_owned(), name: servers::name() })
    }
}

impl Place for Schema {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async {
            let url = format!("{}?schema={}", self.url, self.name);
            let options = Options { url, accept_loss: false };
            PostgresStore::migrate(options.clone()).await.expect("it can be migrated");
            let (store, _) = PostgresStore::open(options).await.expect("it can be opened");
            Arc::new(store) as Arc<dyn Store>
        })
    }

    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sql = format!(
            "INSERT INTO {}.records (id, head) VALUES ('\\x{}', '\\x{}')",
            self.name,
            hex(&id.0),
            hex(&row)
        );
        Box::pin(async move { _ = ask(&self.url, &sql).await })
    }
}
