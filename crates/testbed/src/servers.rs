//! Private servers for tests: PostgreSQL, Redis, a Redis Cluster, pgbouncer; or those that a test is given.
//!
//! ```no_run
//! # async fn example() {
//! use onlyonce_testbed::servers::{self, Postgres};
//!
//! let url = servers::postgres().await; // one for all tests that only use it, each in a schema of its own
//! let schema = servers::name();
//!
//! let mut own = Postgres::start().await; // for a test that kills it
//! own.kill9().await;
//! own.restart().await; // the same data, the same port
//! # let _ = (url, schema);
//! # }
//! ```
//!
//! A server works in a [`Place`] of its own: a temporary directory with a guard, a small shell that ends whatever works
//! in the directory and removes it, when the test lets go of it and also when the test itself is killed. Invariant: no
//! process, no directory and no port is left behind by a test, however it ends.
//!
//! A server that is missing fails the test that needs it, and says what installs it; nothing is skipped.

pub mod cluster;
pub mod pgbouncer;
pub mod postgres;
pub mod redis;

mod account;
mod ask;
mod daemon;
mod given;
mod options;
mod place;
mod probe;
mod programs;

pub use self::{
    cluster::Cluster,
    daemon::{Daemon, GONE_LIMIT, UP_LIMIT},
    given::{POSTGRES, REDIS, REDIS_CLUSTER, given, name, postgres, redis, redis_cluster},
    pgbouncer::Pgbouncer,
    place::Place,
    postgres::Postgres,
    programs::program,
    redis::Redis,
};
