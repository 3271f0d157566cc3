//! Places for sockets to an upstream: so many, and no more.
//!
//! Invariant: a socket has a place from before it is opened until after it is closed, whoever has it: a request, an attempt
//! whose client is gone and that listens for its answer, or nobody, while it is idle. So however many clients come and
//! hang up, the process keeps its descriptors for what it cannot do without.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::unconstrained,
};

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

    /// A place. Where none is free, `make_room` is told so once, and it waits for the next. Who waits longest gets it.
    pub(super) async fn take(&self, make_room: impl FnOnce()) -> Place {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Place { _permit: permit };
        }
        // Said before room is made: whoever lets go of a socket after that sees it.
        let _awaited = Awaited::new(self);
        // In the queue before room is made, or it could be taken by somebody who has made none. Unconstrained, because a
        // task that has had its turn would not be let in.
        let mut permit = pin!(unconstrained(Arc::clone(&self.free).acquire_owned()));
        let acquired = match poll_fn(|context| Poll::Ready(permit.as_mut().poll(context))).await {
            Poll::Ready(acquired) => acquired,
            Poll::Pending => {
                make_room();
                permit.await
            }
        };
        Place { _permit: acquired.expect("nobody closes the semaphore") }
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_place_that_was_freed_for_somebody_is_not_taken_by_who_comes_by() {
        let places = Places::new(1);
        let mut idle = Some(places.take(|| {}).await);
        let mut passer_by = pin!(places.take(|| {}));
        let mut context = Context::from_waker(Waker::noop());
        let mut took = false;
        let waiting = places.take(|| {
            idle.take();
            took = passer_by.as_mut().poll(&mut context).is_ready();
        });
        let place = pin!(waiting).poll(&mut Context::from_waker(Waker::noop()));
        assert!(place.is_ready() && !took);
        drop(place);
        passer_by.await;
    }
}
