//! The servers that all tests share: given by the environment, else one of each for this process.
//!
//! Whoever uses one takes a schema or namespace of his own ([`name`]), and neither stops it nor changes its settings.

use tokio::sync::OnceCell;

use super::{Cluster, Postgres, Redis};
use crate::chance;

/// The environment variable with the URL of a PostgreSQL for tests.
pub const POSTGRES: &str = "ONLYONCE_TEST_POSTGRES";
/// The environment variable with the URL of a Redis for tests.
pub const REDIS: &str = "ONLYONCE_TEST_REDIS";
/// The environment variable with the URL of a Redis Cluster for tests.
pub const REDIS_CLUSTER: &str = "ONLYONCE_TEST_REDIS_CLUSTER";

/// The URL of a PostgreSQL that is shared.
///
/// # Panics
/// With its log, if none is given and none can be started.
pub async fn postgres() -> String {
    static OWN: OnceCell<Postgres> = OnceCell::const_new();
    match given(POSTGRES) {
        Some(url) => url,
        None => OWN.get_or_init(Postgres::start).await.url(),
    }
}

/// The URL of a Redis that is shared.
///
/// # Panics
/// With its log, if none is given and none can be started.
pub async fn redis() -> String {
    static OWN: OnceCell<Redis> = OnceCell::const_new();
    match given(REDIS) {
        Some(url) => url,
        None => OWN.get_or_init(Redis::start).await.url(),
    }
}

/// The URL of a Redis Cluster that is shared.
///
/// # Panics
/// With a node's log, if none is given and none can be started.
pub async fn redis_cluster() -> String {
    static OWN: OnceCell<Cluster> = OnceCell::const_new();
    match given(REDIS_CLUSTER) {
        Some(url) => url,
        None => OWN.get_or_init(Cluster::start).await.url(),
    }
}

/// A name for a schema or namespace that nobody else has.
pub fn name() -> String {
    format!("t_{:016x}", chance::bits())
}

/// The URL that the environment gives, if it gives one.
#[expect(clippy::disallowed_methods, reason = "the environment of a test says where its servers are")]
pub fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}
