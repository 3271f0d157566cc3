//! Ledgers on every backend, opened as a gateway opens them.

use std::{path::Path, sync::Arc};

use onlyonce_core::Policy;
use onlyonce_ledger::{Ledger, identity::Secret, memory::MemoryStore, store::Store};
use onlyonce_store_embedded::EmbeddedStore;
use onlyonce_store_postgres::PostgresStore;
use onlyonce_store_redis::RedisStore;

use crate::{
    failure::Failure,
    fill,
    operation::{self, Real, Way},
};

/// Operations on a store that is nobody else's.
pub(crate) async fn on(store: Arc<dyn Store>, policy: Policy) -> Result<Arc<dyn Way>, Failure> {
    let secret = Secret::new(fill::SECRET)?;
    let (ledger, _) = Ledger::open(store, &secret, onlyonce_ledger::Options::default()).await?;
    Ok(Arc::new(Real::new(ledger, policy, operation::BODY)))
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

pub(crate) fn embedded(directory: &Path) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(EmbeddedStore::open(directory, onlyonce_store_embedded::Options::default())?))
}

/// In a schema of its own.
pub(crate) async fn postgres(url: &str, schema: &str) -> Result<Arc<dyn Store>, Failure> {
    let options =
        onlyonce_store_postgres::Options { url: format!("{url}?schema={schema}"), accept_loss: false };
    PostgresStore::migrate(options.clone()).await?;
    let (store, _) = PostgresStore::open(options).await?;
    Ok(Arc::new(store))
}

/// In a namespace of its own. A Cluster can lose what it has acknowledged when it fails over; nothing fails over here.
pub(crate) async fn redis(url: &str, namespace: &str) -> Result<Arc<dyn Store>, Failure> {
    let options = onlyonce_store_redis::Options {
        url: format!("{url}?namespace={namespace}").parse()?,
        accept_loss: url.starts_with("redis-cluster:"),
        min_replicas: 0,
    };
    let (store, _) = RedisStore::open(options).await?;
    Ok(Arc::new(store))
}
