//! A namespace of a Redis or a Cluster, as the conformance suite uses it.

use std::sync::Arc;

use bytes::Bytes;
use onlyonce_core::RecordId;
use onlyonce_ledger::store::Store;
use onlyonce_store_conformance::{BoxFuture, Place};
use onlyonce_store_redis::{Options, RedisStore};
use onlyonce_testbed::servers;
use redis::{RedisResult, Value, cmd};

/// A namespace on servers that are shared.
pub(crate) struct Namespace {
    url: String,
    name: String,
}

impl Namespace {
    pub(crate) fn of(url: &str) -> Box<dyn Place> {
        Box::new(Self { url: url.trim_end_matches('/').to_owned(), name: servers::name() })
    }

    /// Sends a command to each server until one has the slot.
    fn send(&self, command: &redis::Cmd) {
        let hosts = self.url.split_once("://").expect("a URL has a scheme").1;
        let sent = hosts.split(',').any(|host| {
            let client = redis::Client::open(format!("redis://{host}")).expect("a test's URL can be read");
            let answer: RedisResult<Value> =
                client.get_connection().and_then(|mut connection| command.query(&mut connection));
            answer.is_ok()
        });
        assert!(sent, "a row can be written behind the store's back");
    }
}

impl Place for Namespace {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async {
            let url =
                format!("{}/?namespace={}", self.url, self.name).parse().expect("a test's URL can be read");
            let options = Options { url, accept_loss: true, min_replicas: 0 };
            let (store, _) = RedisStore::open(options).await.expect("it can be opened");
            Arc::new(store) as Arc<dyn Store>
        })
    }

    fn plant(&self, id: RecordId, row: Bytes) -> BoxFuture<'_, ()> {
        let hex: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("{{{}:{}}}", self.name, &hex[..2]);
        self.send(cmd("SET").arg(format!("{tag}r:{hex}")).arg(&row[..]));
        self.send(cmd("ZADD").arg(format!("{tag}ended")).arg(0).arg(&id.0));
        Box::pin(async {})
    }
}
