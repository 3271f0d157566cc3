//! How many requests are under way at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one run.
///
/// Invariant: a request has a place from before it goes out until its exchange with the API is over, however it ends. There
/// are no more than the plan's `bounds.at_once`.
#[derive(Debug)]
pub(crate) struct Places {
    all: u32,
    free: Arc<Semaphore>,
}

/// That of one request; its clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held until it is dropped")] Arc<OwnedSemaphorePermit>);

impl Places {
    pub(crate) fn of(all: u32) -> Self {
        Self { all, free: Arc::new(Semaphore::new(all as usize)) }
    }

    /// A place for each request, given how often each goes out; `Err`: not as many are free, and none is taken. Holds how
    /// many there would have to be.
    pub(crate) fn take(&self, times: &[usize]) -> Result<Vec<Place>, usize> {
        let wanted: usize = times.iter().sum();
        let under_way = (self.all as usize).saturating_sub(self.free.available_permits());
        let none = |_| wanted + under_way;
        let all = u32::try_from(wanted).map_err(|_| wanted)?;
        let mut all = Arc::clone(&self.free).try_acquire_many_owned(all).map_err(none)?;
        let split = |times: &usize| all.split(*times).map(|place| Place(Arc::new(place)));
        Ok(times.iter().filter_map(split).collect())
    }

    /// Waits until nothing is under way.
    pub(crate) async fn all_free(&self) {
        // bounded: each exchange is, by the plan's patience.
        drop(self.free.acquire_many(self.all).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_are_taken_than_there_are_and_all_come_back() {
        let places = Places::of(3);
        let one = places.take(&[1]).unwrap();
        assert_eq!(places.take(&[1, 2]).unwrap_err(), 4);
        let others = places.take(&[2]).unwrap();
        assert_eq!(places.take(&[1]).unwrap_err(), 4);
        let copy = others.clone();
        drop((one, others));
        assert_eq!(places.take(&[2]).unwrap_err(), 4, "a copy is the same place");
        drop(copy);
        places.all_free().await;
        assert_eq!(places.take(&[1; 3]).unwrap().len(), 3);
    }
}
