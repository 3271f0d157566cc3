//! The audit's numbers: ever higher, without gaps, and a bounded count of entries.

use bytes::Bytes;
use fjall::{Keyspace, OwnedWriteBatch};
use onlyonce_ledger::store::BATCH_COMMANDS;

use crate::keyspaces::Keyspaces;

pub(super) struct Audit {
    entries: Keyspace,
    next: u64,
    oldest: u64,
    /// At least a batch's worth, or one batch would add an entry and remove it at once.
    max: u64,
}

impl Audit {
    pub(super) fn open(spaces: &Keyspaces, max: u64) -> Result<Self, fjall::Error> {
        let entries = spaces.audit.clone();
        let last = entries.last_key_value().map(number).transpose()?.flatten();
        let oldest = entries.first_key_value().map(number).transpose()?.flatten();
        Ok(Self {
            entries,
            next: last.map_or(1, |last| last + 1),
            oldest: oldest.unwrap_or(1),
            max: max.max(BATCH_COMMANDS as u64),
        })
    }

    /// Adds the entry under the next number, and removes what is then too old.
    ///
    /// A number is spent even if the batch is not committed; but then nothing is written any more.
    pub(super) fn append(&mut self, entry: &Bytes, batch: &mut OwnedWriteBatch) {
        batch.insert(&self.entries, self.next.to_be_bytes(), &**entry);
        self.next += 1;
        while self.next - self.oldest > self.max {
            batch.remove(&self.entries, self.oldest.to_be_bytes());
            self.oldest += 1;
        }
    }
}

fn number(entry: fjall::Guard) -> Result<Option<u64>, fjall::Error> {
    Ok(entry.key()?.as_ref().try_into().ok().map(u64::from_be_bytes))
}
