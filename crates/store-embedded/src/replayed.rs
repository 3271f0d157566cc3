//! Records that were replayed, with their results: who repeats once will repeat again, and finds them without a search.
//!
//! Invariant: what is here is what the rows say. A reader takes its place before it reads the rows and fills it
//! afterwards; the writer, once a batch can be read and before anybody hears of it, takes out whatever the batch has
//! changed, places included. So what was read before a write is never here after it, and nothing is here that is not
//! durable. Writes compare with the rows themselves and never with this.
//!
//! A row that expires is left here by the merge that removes it: time is judged by whoever reads, as always.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::{HashIds, RecordId};
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle, GuardResult},
};

/// Larger results are read anew each time.
const LARGEST: usize = 64 * 1024;
/// What an entry takes beside its bytes: the cache's own, two handles with counts, and what the allocator adds.
const BESIDE: usize = 256;
/// The usual size of an entry, by which the cache divides itself into shards.
const USUAL: u64 = 1024;

/// Shared by whoever reads, and the writer.
pub(crate) struct Replayed(Cache<RecordId, Answer, Weight, HashIds>);

/// What is needed to answer a repeat.
#[derive(Clone)]
struct Answer {
    row: Bytes,
    result: Bytes,
}

#[derive(Clone)]
struct Weight;

impl Weighter<RecordId, Answer> for Weight {
    fn weight(&self, _: &RecordId, answer: &Answer) -> u64 {
        (answer.row.len() + answer.result.len() + BESIDE) as u64
    }
}

impl Replayed {
    /// At most about so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX);
        Self(Cache::with(items, bytes, Weight, HashIds::default(), DefaultLifecycle::default()))
    }

    /// A record's row.
    pub(crate) fn row(&self, id: RecordId) -> Option<Bytes> {
        self.0.get(&id).map(|answer| answer.row)
    }

    /// A record's result, from here or as `result` reads it; then it is kept here, with what `row` reads.
    pub(crate) fn result<E>(
        &self,
        id: RecordId,
        result: impl FnOnce() -> Result<Option<Bytes>, E>,
        row: impl FnOnce() -> Result<Option<Bytes>, E>,
    ) -> Result<Option<Bytes>, E> {
        let place = match self.0.get_value_or_guard(&id, Some(Duration::ZERO)) {
            GuardResult::Value(answer) => return Ok(Some(answer.result)),
            GuardResult::Guard(place) => place,
            // Somebody else is about to fill the place.
            GuardResult::Timeout => return result(),
        };
        let result = match result()? {
            // Copied: a slice would keep its whole block in memory.
            Some(result) if result.len() <= LARGEST => Bytes::copy_from_slice(&result),
            other => return Ok(other),
        };
        if let Some(row) = row()? {
            // Refused if the record has changed since.
            let _ = place.insert(Answer { row, result: result.clone() });
        }
        Ok(Some(result))
    }

    /// A batch that can be read now has changed this record.
    pub(crate) fn changed(&self, id: RecordId) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
impl Replayed {
    pub(crate) fn weight(&self) -> u64 {
        self.0.weight()
    }
}
