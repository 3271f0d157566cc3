//! The batches under way, as far as they tell whether to wait for a larger one.

use std::time::Duration;

use tokio::time::Instant;

/// A batch that has taken so long is late: nobody waits for its sake to make the next one larger.
pub(super) const LATE: Duration = Duration::from_millis(100);

/// The batches under way, the oldest first; a store bounds them.
#[derive(Default)]
pub(super) struct Begun {
    batches: Vec<Batch>,
    number: u64,
}

struct Batch {
    number: u64,
    since: Instant,
    commands: usize,
}

impl Begun {
    /// One more; by this number it is removed.
    pub(super) fn add(&mut self, commands: usize) -> u64 {
        self.number += 1;
        self.batches.push(Batch { number: self.number, since: Instant::now(), commands });
        self.number
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.batches.retain(|batch| batch.number != number);
    }

    /// How many commands are in those that are not late.
    pub(super) fn in_time(&self) -> usize {
        self.not_late().map(|batch| batch.commands).sum()
    }

    /// Resolves once one more is late; to nothing if none can be.
    pub(super) async fn one_more_is_late(&self) -> Option<()> {
        let next = self.not_late().next()?;
        tokio::time::sleep_until(next.since + LATE).await;
        Some(())
    }

    fn not_late(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter().filter(|batch| batch.since.elapsed() < LATE)
    }
}
