//! What is remembered of the questions that were asked about one record.
//!
//! Forgetting is safe: the next question comes sooner, and a first 404 counts for nothing again.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use onlyonce_core::{Fence, OperationRef, RecordId, Timestamp};
use tokio::time::Instant;

/// Most records that are remembered; further ones are asked about once others are settled.
const RECORDS_MAX: usize = 16_384;
/// The wait between two questions grows to 2^n times the first, while nothing is settled.
const DOUBLINGS: u32 = 5;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Diary(HashMap<RecordId, Entry>);

#[derive(Debug)]
struct Entry {
    /// Whose attempts are counted: a key that is forgotten begins again with the first.
    first_claim_at: Timestamp,
    fence: Fence,
    /// Answers that settled nothing, one after another.
    unsettled: u32,
    next: Instant,
    /// When the first of two 404s was asked for.
    absent_at: Option<Instant>,
    busy: bool,
}

impl Diary {
    /// Whether the record is to be asked about now; if so, it is busy until one of the others says how that went.
    pub(super) fn begin(&mut self, operation: OperationRef, fence: Fence, now: Instant) -> bool {
        let OperationRef { record: id, first_claim_at } = operation;
        if !self.0.contains_key(&id) && self.0.len() >= RECORDS_MAX {
            return false;
        }
        let fresh = || Entry { first_claim_at, fence, unsettled: 0, next: now, absent_at: None, busy: false };
        let entry = self.0.entry(id).or_insert_with(fresh);
        if entry.busy {
            return false;
        }
        if (entry.first_claim_at, entry.fence) != (first_claim_at, fence) {
            // Another attempt or operation: what was heard of the one before says nothing.
            *entry = fresh();
        }
        entry.busy = entry.next <= now;
        entry.busy
    }

    /// An answer that settles nothing came to a question that was asked then.
    pub(super) fn unsettled(&mut self, id: RecordId, every: Duration, now: Instant) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.absent_at = None;
            entry.wait(id, every, now);
        }
    }

    /// A 404 came to a question that was asked at `asked`. Says whether it is the second of two that are `every` apart.
    pub(super) fn absent(&mut self, id: RecordId, every: Duration, asked: Instant) -> bool {
        let Some(entry) = self.0.get_mut(&id) else { return false };
        match entry.absent_at {
            Some(first) if asked.duration_since(first) >= every => true,
            Some(_) => {
                entry.wait(id, every, asked);
                false
            }
            None => {
                entry.absent_at = Some(asked);
                entry.unsettled = 0;
                entry.wait(id, every, asked);
                false
            }
        }
    }

    /// It was not asked about after all, which says nothing.
    pub(super) fn put_off(&mut self, id: RecordId, every: Duration, now: Instant) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.next = now + every;
            entry.busy = false;
        }
    }

    /// It is settled, or no longer unknown.
    pub(super) fn forget(&mut self, id: RecordId) {
        self.0.remove(&id);
    }

    /// Forgets what was not met in a whole round and is not being asked about.
    pub(super) fn keep(&mut self, met: &HashSet<RecordId>) {
        self.0.retain(|id, entry| entry.busy || met.contains(id));
    }
}

impl Entry {
    /// The next question comes `every` later at first, then later and later, and not together with those of others.
    fn wait(&mut self, id: RecordId, every: Duration, from: Instant) {
        let wait = every.saturating_mul(1 << self.unsettled.min(DOUBLINGS));
        self.unsettled = self.unsettled.saturating_add(1);
        self.next = from + wait + wait.mul_f64(spread(id));
        self.busy = false;
    }
}

/// From none to a fifth, as the record's id has it: ids are hashes.
fn spread(id: RecordId) -> f64 {
    let [first, ..] = id.0;
    f64::from(first) / 255.0 / 5.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);
    const LATER: Duration = Duration::from_secs(3600);
    const ID: RecordId = RecordId([200; 16]);
    const OP: OperationRef = OperationRef { record: ID, first_claim_at: Timestamp::from_ms(1) };
    const F1: Fence = Fence::FIRST;

    #[test]
    fn a_record_is_asked_about_once_at_a_time_and_ever_more_rarely() {
        let (mut diary, mut now) = (Diary::default(), Instant::now());
        for doubled in [1, 2, 4, 8, 16, 32, 32] {
            assert!(diary.begin(OP, F1, now));
            assert!(!diary.begin(OP, F1, now), "it is being asked about");
            diary.unsettled(ID, EVERY, now);
            let wait = EVERY * doubled;
            assert!(!diary.begin(OP, F1, now + wait), "its place in the spread comes on top");
            now += wait + wait / 5;
        }
    }

    #[test]
    fn two_404s_count_only_apart_and_without_anything_between_them() {
        let (mut diary, now) = (Diary::default(), Instant::now());
        diary.begin(OP, F1, now);
        assert!(!diary.absent(ID, EVERY, now), "one");
        assert!(!diary.absent(ID, EVERY, now + EVERY / 2), "too soon");
        assert!(diary.absent(ID, EVERY, now + EVERY), "two");
        diary.unsettled(ID, EVERY, now + EVERY);
        assert!(!diary.absent(ID, EVERY, now + EVERY * 2), "something else came between");
        assert!(diary.absent(ID, EVERY, now + EVERY * 3));
    }

    #[test]
    fn what_was_heard_of_an_earlier_attempt_counts_for_nothing() {
        let (mut diary, now) = (Diary::default(), Instant::now());
        diary.begin(OP, F1, now);
        diary.absent(ID, EVERY, now);
        assert!(diary.begin(OP, F1.next(), now), "nor does its wait");
        assert!(!diary.absent(ID, EVERY, now + LATER));
    }

    #[test]
    fn what_was_heard_of_an_operation_before_counts_for_nothing() {
        let (mut diary, now) = (Diary::default(), Instant::now());
        diary.begin(OP, F1, now);
        diary.absent(ID, EVERY, now);
        let anew = OperationRef { first_claim_at: Timestamp::from_ms(2), ..OP };
        assert!(diary.begin(anew, F1, now), "nor does its wait");
        assert!(!diary.absent(ID, EVERY, now + LATER));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_ends_with_its_record() {
        let (mut diary, now) = (Diary::default(), Instant::now());
        let id = |number: usize| RecordId((number as u128).to_be_bytes());
        let operation = |number| OperationRef { record: id(number), ..OP };
        for number in 0..RECORDS_MAX {
            assert!(diary.begin(operation(number), F1, now));
            diary.unsettled(id(number), EVERY, now);
        }
        assert!(!diary.begin(OP, F1, now));
        diary.keep(&HashSet::from([id(1)]));
        assert!(diary.begin(OP, F1, now) && diary.0.len() == 2);
    }
}
