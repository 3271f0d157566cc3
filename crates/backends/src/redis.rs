//! Ledgers on Redis and Redis Cluster: from a URL to an open store.

use std::{fmt, sync::Arc};

use onlyonce_ledger::store::Store;
use onlyonce_store_redis::{OpenError, Options, RedisStore, Url, UrlError};

use crate::{
    address::{Address, Grammar},
    error::{Error, ErrorKind},
};

const SINGLE: Grammar = Grammar {
    example: "redis://USER:PASSWORD@HOST:6379/0",
    several: false,
    sockets: false,
    port: 6379,
    parameters: &["namespace", "ca", "policy"],
};
const CLUSTER: Grammar =
    Grammar { example: "redis-cluster://USER:PASSWORD@HOST:6379,HOST:6379", several: true, ..SINGLE };

/// A namespace of a server, or of a Cluster. Its text form shows nothing that authenticates.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    url: Url,
    address: Address,
}

impl Server {
    /// Reads the URL of one server; `rest` is what follows its scheme and the colon.
    pub(crate) fn single(url: &str, rest: &str) -> Result<Self, String> {
        Self::read(url, rest, &SINGLE)
    }

    /// Reads the URL of a Cluster.
    pub(crate) fn cluster(url: &str, rest: &str) -> Result<Self, String> {
        Self::read(url, rest, &CLUSTER)
    }

    fn read(url: &str, rest: &str, grammar: &Grammar) -> Result<Self, String> {
        let address = grammar.read(rest)?;
        let url = url.parse().map_err(|error: UrlError| error.to_string())?;
        Ok(Self { url, address })
    }

    /// Opens what is there, and tells what its operators have to know.
    pub(crate) async fn open(
        &self,
        accept_loss: bool,
        min_replicas: u32,
    ) -> Result<(Arc<dyn Store>, Vec<String>), Error> {
        let options = Options { url: self.url.clone(), accept_loss, min_replicas };
        let (store, sentences) = RedisStore::open(options).await.map_err(failed)?;
        Ok((Arc::new(store), sentences))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.address)?;
        self.address.parameter("namespace").map_or(Ok(()), |namespace| write!(f, "?namespace={namespace}"))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn failed(error: OpenError) -> Error {
    Error::new(ErrorKind::Ledger, error.to_string()).because(error)
}
