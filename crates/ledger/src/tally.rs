//! How many records are open, and how many of each route unknown: a named bound on what people have to settle.
//!
//! Counted as records change, and anew once a minute: a reply that was lost for good, or another process, may have
//! changed them unseen. What changes while all are looked at would be counted twice or not at all, so where no other
//! process writes, such a count is thrown away. An outcome that becomes unknown, or known after all, is told here, whoever it was.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use metrics::Counter;
use onlyonce_core::{
    Event, Record, RecordId, State, metric,
    record::{Source, StateName, UnknownCause},
};

use crate::meter::Meter;

pub(crate) struct Tally {
    unknowns: Mutex<HashMap<String, Unknowns>>,
    /// So many of one route alarm people: half of what it may have.
    alarm: usize,
    open: AtomicUsize,
    /// Changes that were begun, and those of them that have ended.
    begun: AtomicUsize,
    ended: AtomicUsize,
    by_attempt: Counter,
    by_probe: Counter,
    by_operator: Counter,
    by_rerun: Counter,
}

/// The unknown records of one route.
#[derive(Clone, Copy, Debug, Default)]
struct Unknowns {
    count: usize,
    /// People were told that there are many, and it has not fallen below since.
    alarmed: bool,
}

impl Tally {
    pub(crate) fn new(meter: &Meter, unknowns_per_route: usize) -> Self {
        let settled = |by| meter.counter(&metric::SETTLED, &[by]);
        Self {
            unknowns: Mutex::default(),
            alarm: unknowns_per_route.div_ceil(2).max(1),
            open: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            by_attempt: settled("attempt"),
            by_probe: settled("probe"),
            by_operator: settled("operator"),
            by_rerun: settled("rerun"),
        }
    }

    /// Unknown records of one route.
    pub(crate) fn unknown(&self, route: &str) -> usize {
        self.lock().get(route).map_or(0, |unknowns| unknowns.count)
    }

    /// Unknown records of each route; one that has none left is still named.
    pub(crate) fn unknowns(&self) -> Vec<(String, usize)> {
        self.lock().iter().map(|(route, unknowns)| (route.clone(), unknowns.count)).collect()
    }

    /// Records in progress or unknown.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// An open record that start-up found.
    pub(crate) fn found(&self, record: &Record) {
        self.open.fetch_add(1, Ordering::Relaxed);
        if is_unknown(record) {
            self.one_more(&record.route);
        }
    }

    /// To be held from before a change may reach the store until after it is counted.
    pub(crate) fn changing(&self) -> Changing<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Changing(self)
    }

    /// How many changes were begun, to be asked before all records are looked at; `None`: some are under way.
    pub(crate) fn quiet(&self) -> Option<usize> {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        (begun == ended).then_some(begun)
    }

    /// All open records were looked at.
    pub(crate) fn counted(&self, open: usize, mut unknowns: HashMap<String, usize>) {
        self.open.store(open, Ordering::Relaxed);
        let mut held = self.lock();
        // A route that has none left is still shown.
        for route in held.keys().cloned().collect::<Vec<_>>() {
            unknowns.entry(route).or_default();
        }
        for (route, count) in unknowns {
            held.entry(route.clone()).or_default().are(count, &route, self.alarm);
        }
    }

    /// A record was changed by this process.
    pub(crate) fn changed(&self, id: RecordId, event: &Event, before: Option<&Record>, after: &Record) {
        match (before.is_some_and(Record::is_open), after.is_open()) {
            (false, true) => _ = self.open.fetch_add(1, Ordering::Relaxed),
            // Counted anew meanwhile, it may be less than what is known here.
            (true, false) => {
                let less = |open: usize| Some(open.saturating_sub(1));
                let _ = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            }
            (true, true) | (false, false) => {}
        }
        match (before.is_some_and(is_unknown), is_unknown(after)) {
            (false, true) => self.lost(id, after),
            (true, false) => {
                // The claim of a re-run may have come by another route.
                let route = before.map_or(&after.route, |before| &before.route);
                if let Some(unknowns) = self.lock().get_mut(route) {
                    unknowns.are(unknowns.count.saturating_sub(1), route, self.alarm);
                }
            }
            (true, true) | (false, false) => {}
        }
        if before.is_some_and(has_unknown) && !after.is_open() {
            self.settled(id, event, before, after);
        }
    }

    fn lost(&self, id: RecordId, record: &Record) {
        self.one_more(&record.route);
        if let State::Unknown { cause, .. } = record.state
            && cause != UnknownCause::RerunRefused
        {
            let operation = record.operation_ref(id);
            tracing::warn!(idempotency.operation_ref = %operation, route = record.route, cause = cause.as_str(), "an outcome is unknown");
        }
    }

    fn one_more(&self, route: &str) {
        let mut held = self.lock();
        let unknowns = held.entry(route.to_owned()).or_default();
        unknowns.are(unknowns.count + 1, route, self.alarm);
    }

    fn settled(&self, id: RecordId, event: &Event, before: Option<&Record>, after: &Record) {
        let (by, counter) = match event {
            Event::Settle(settle) => match settle.by {
                Source::Operator => ("operator", &self.by_operator),
                Source::Probe => ("probe", &self.by_probe),
                Source::Attempt => ("attempt", &self.by_attempt),
            },
            _ if before.is_some_and(is_unknown) => ("attempt", &self.by_attempt),
            _ => ("rerun", &self.by_rerun),
        };
        counter.increment(1);
        let (operation, state) = (after.operation_ref(id), after.state.name().as_str());
        tracing::info!(idempotency.operation_ref = %operation, route = after.route, by, state, "an unknown outcome is settled");
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Unknowns>> {
        self.unknowns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unknowns {
    /// There are so many now; says whether people were told. They are once when there have become many, and again only
    /// after there had become few.
    fn are(&mut self, count: usize, route: &str, alarm: usize) -> bool {
        self.count = count;
        let many = count >= alarm;
        let tell = many && !self.alarmed;
        if tell {
            tracing::error!(
                route,
                unknown = count,
                "half of the unknown outcomes that a route may have are there: settle them, or its new keys are refused"
            );
        }
        self.alarmed = many;
        tell
    }
}

/// A change that may be in the store and is not counted yet.
pub(crate) struct Changing<'a>(&'a Tally);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

fn is_unknown(record: &Record) -> bool {
    record.state.name() == StateName::Unknown
}

/// Whether nobody knows what became of this attempt, or of one before it.
fn has_unknown(record: &Record) -> bool {
    is_unknown(record) || (record.is_open() && record.earlier_unknown.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_once_that_there_are_many_until_there_are_few_again() {
        let tally = Tally::new(&Meter::global(), 10_000);
        assert_eq!(tally.alarm, 5_000, "at half of what a route may have");
        let mut unknowns = Unknowns::default();
        let told = [4_999, 5_000, 5_001, 10_000, 5_000, 4_999, 5_000].map(|count| {
            let told = unknowns.are(count, "POST /transfers", tally.alarm);
            assert_eq!(unknowns.count, count);
            told
        });
        assert_eq!(told, [false, true, false, false, false, false, true]);
    }

    /// A recount that finds none of a route still shows it, and ends its alarm.
    #[test]
    fn a_count_of_all_records_begins_and_ends_an_alarm() {
        let tally = Tally::new(&Meter::global(), 4);
        let alarmed = || tally.lock()["POST /transfers"].alarmed;
        tally.counted(2, [("POST /transfers".to_owned(), 2)].into());
        assert!(alarmed());
        tally.counted(0, HashMap::new());
        assert!(!alarmed());
        assert_eq!(tally.unknowns(), [("POST /transfers".to_owned(), 0)]);
    }
}
