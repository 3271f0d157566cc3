//! Connections to the upstream that wait for their next request.
//!
//! An upstream may close an idle connection at the very moment a request is written to it, and then nobody knows
//! whether it was read. So keyed requests take only connections that have been idle for less than `upstream_idle` and
//! that are clean at the last moment; others take what is clean.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::connection::Connection;

/// Most idle connections.
const IDLE_MAX: usize = 512;
/// How long a connection may be idle at all.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Idle connections to one upstream.
pub(crate) struct Pool {
    authority: String,
    connect: Duration,
    keyed_idle: Duration,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection for one request.
pub(super) struct Taken {
    pub(super) connection: Connection,
    /// Whether it has served before.
    pub(super) reused: bool,
}

impl Pool {
    pub(crate) fn new(authority: String, connect: Duration, keyed_idle: Duration) -> Arc<Self> {
        Arc::new(Self { authority, connect, keyed_idle, idle: Mutex::default() })
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// An idle connection that is fit, or a fresh one.
    pub(super) async fn take(&self, keyed: bool) -> io::Result<Taken> {
        let limit = if keyed { self.keyed_idle } else { IDLE_TIME };
        while let Some(idle) = self.newest() {
            if idle.since.elapsed() < limit && idle.connection.is_clean() {
                return Ok(Taken { connection: idle.connection, reused: true });
            }
        }
        self.fresh().await
    }

    pub(super) async fn fresh(&self) -> io::Result<Taken> {
        let connection = Connection::open(&self.authority, self.connect).await?;
        Ok(Taken { connection, reused: false })
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.lock();
        idle.push_back(Idle { connection, since: Instant::now() });
        while idle.len() > IDLE_MAX || idle.front().is_some_and(|oldest| oldest.since.elapsed() > IDLE_TIME) {
            idle.pop_front();
        }
    }

    fn newest(&self) -> Option<Idle> {
        self.lock().pop_back()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
