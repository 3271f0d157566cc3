//! Places for sockets to an upstream: so many, and no more.
//!
//! Invariant: a socket has a place from before it is opened until after it is closed, whoever has it: a request, an attempt
//! whose client is gone and that listens for its answer, or nobody, while it is idle. So however many clients come and
//! hang up, the process keeps its descriptors for what it cannot do without.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// How many are waited for.
    awaited: AtomicUsize,
}

/// A place; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Somebody waits.
struct Awaited<'p>(&'p Places);

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(most)), awaited: AtomicUsize::new(0) })
    }

    /// A place. Where none is free, `make_room` is told so once, and it waits for the next.
    pub(super) async fn take(&self, make_room: impl FnOnce()) -> Place {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Place { _permit: permit };
        }
        // Said before room is made: whoever lets go of a socket after that sees it.
        let _awaited = Awaited::new(self);
        make_room();
        let permit = Arc::clone(&self.free).acquire_owned().await;
        Place { _permit: permit.expect("nobody closes the semaphore") }
    }

    /// Whether somebody waits for one, so that nobody may keep a socket for later.
    pub(super) fn are_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) > 0
    }
}

impl<'p> Awaited<'p> {
    fn new(places: &'p Places) -> Self {
        places.awaited.fetch_add(1, Ordering::SeqCst);
        Self(places)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::SeqCst);
    }
}
