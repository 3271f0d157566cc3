//! A key that is set if it is not there: `SET NX PX` before the work, `SET PX` with the result after it. On one connection
//! that all callers share, as the client's documentation recommends, and on one for each call.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use onlyonce_testbed::servers::Cluster;
use redis::{AsyncConnectionConfig, Value, aio::MultiplexedConnection};

use super::pool::Pool;
use crate::{
    failure::Failure,
    operation::{self, Done, Way},
};

/// Connections in the pool, shared by all callers.
pub(crate) const CONNECTIONS: usize = 64;
/// How long a key is kept: a day.
const KEPT_MS: u64 = 24 * 3600 * 1000;
/// Tags that are tried until each master has one.
const TAGS_MAX: u32 = 1_000;
const MASTERS: usize = 3;

struct Pooled(Pool<MultiplexedConnection>);

/// A connection for each part of the keys, and what puts a key there.
struct Shared {
    parts: Vec<(String, MultiplexedConnection)>,
    next: AtomicUsize,
}

/// One connection for all.
pub(crate) async fn shared(url: &str) -> Result<Arc<dyn Way>, Failure> {
    let parts = vec![(String::new(), connect(url).await?)];
    Ok(Arc::new(Shared { parts, next: AtomicUsize::new(0) }))
}

/// A connection for each call.
pub(crate) async fn pooled(url: &str) -> Result<Arc<dyn Way>, Failure> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        connections.push(connect(url).await?);
    }
    Ok(Arc::new(Pooled(Pool::new(connections))))
}

/// One connection for all to each master. The client for a Cluster would find out at each key where it belongs; here that
/// costs nothing.
pub(crate) async fn cluster(cluster: &mut Cluster) -> Result<Arc<dyn Way>, Failure> {
    let (mut masters, mut parts) = (Vec::new(), Vec::new());
    for tag in (0..TAGS_MAX).map(|number| format!("{{{number}}}")) {
        let master = cluster.master_of(&tag).await;
        if !masters.contains(&master) {
            masters.push(master);
            parts.push((tag, connect(&cluster.node(master).url()).await?));
        }
        if masters.len() == MASTERS {
            return Ok(Arc::new(Shared { parts, next: AtomicUsize::new(0) }));
        }
    }
    Err(Failure::new("no key was found for one of the masters"))
}

async fn connect(url: &str) -> Result<MultiplexedConnection, Failure> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
}

impl Way for Shared {
    fn operation(&self) -> Done<'_> {
        Box::pin(async {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.parts.len();
            let (tag, connection) = self.parts.get(turn).expect("a remainder is below what it is divided by");
            let (key, mut connection) = (key(tag), connection.clone());
            claim(&mut connection, &key).await?;
            complete(&mut connection, &key).await
        })
    }
}

impl Way for Pooled {
    fn operation(&self) -> Done<'_> {
        Box::pin(async {
            let key = key("");
            claim(self.0.lend().await.connection(), &key).await?;
            complete(self.0.lend().await.connection(), &key).await
        })
    }
}

fn key(tag: &str) -> Vec<u8> {
    let key: [u8; 16] = operation::random();
    [tag.as_bytes(), b"naive:", &key].concat()
}

async fn claim(connection: &mut MultiplexedConnection, key: &[u8]) -> Result<(), Failure> {
    let fingerprint: [u8; 32] = operation::random();
    let mut set = redis::cmd("SET");
    set.arg(key).arg(&fingerprint).arg("NX").arg("PX").arg(KEPT_MS);
    check(&set.query_async(connection).await?)
}

async fn complete(connection: &mut MultiplexedConnection, key: &[u8]) -> Result<(), Failure> {
    let result = operation::usual_result();
    let mut set = redis::cmd("SET");
    set.arg(key).arg(&result).arg("PX").arg(KEPT_MS);
    check(&set.query_async(connection).await?)
}

fn check(answer: &Value) -> Result<(), Failure> {
    match answer {
        Value::Okay => Ok(()),
        other => Err(Failure::new(format!("the naive way was answered {other:?}"))),
    }
}
