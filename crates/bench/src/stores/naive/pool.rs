//! Connections that callers share, each lent to one call at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections that are open all the time.
pub(super) struct Pool<C> {
    free: Semaphore,
    idle: Mutex<Vec<C>>,
}

/// One that is lent.
pub(super) struct Lent<'a, C> {
    pool: &'a Pool<C>,
    connection: Option<C>,
    // Let go after the connection is back.
    _place: SemaphorePermit<'a>,
}

impl<C> Pool<C> {
    pub(super) fn new(connections: Vec<C>) -> Self {
        Self { free: Semaphore::new(connections.len()), idle: Mutex::new(connections) }
    }

    pub(super) async fn lend(&self) -> Lent<'_, C> {
        let place = self.free.acquire().await.expect("the pool is never closed");
        let connection = self.idle().pop();
        Lent { pool: self, connection, _place: place }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Lent<'_, C> {
    pub(super) fn connection(&mut self) -> &mut C {
        self.connection.as_mut().expect("there are as many connections as places")
    }
}

impl<C> Drop for Lent<'_, C> {
    fn drop(&mut self) {
        self.pool.idle().extend(self.connection.take());
    }
}
