//! What the engine counts beside its store and its open records, and the gauges that are read off it.

use std::{sync::Weak, time::Duration};

use metrics::{Counter, Histogram};
use onlyonce_core::{Event, Record, Timestamp, codec::Unreadable, event::Completion, metric};

use crate::{engine::Engine, meter::Meter};

/// How old a gauge may be for who is not asked for them when they are read.
const GAUGES_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Counters {
    /// From a claim acknowledged to its outcome acknowledged.
    pub(crate) critical_section: Histogram,
    /// How long they waited who repeat a running request.
    pub(crate) wait: Histogram,
    pub(crate) late_outcomes: Counter,
    kept: Counter,
    too_large: Counter,
    released: Counter,
    unknown: Counter,
    reuse_age: Histogram,
    newer: Counter,
    damaged: Counter,
    /// Records that the store has lost under their attempts.
    pub(crate) vanished: Counter,
}

impl Counters {
    pub(crate) fn new(meter: &Meter) -> Self {
        let outcome = |outcome| meter.counter(&metric::UPSTREAM_OUTCOME, &[outcome]);
        let record = |kind| meter.counter(&metric::LEDGER_ERRORS, &[kind]);
        Self {
            critical_section: meter.histogram(&metric::CRITICAL_SECTION, &[]),
            wait: meter.histogram(&metric::WAIT, &[]),
            late_outcomes: meter.counter(&metric::LATE_OUTCOMES, &[]),
            kept: outcome("kept"),
            too_large: outcome("too_large"),
            released: outcome("released"),
            unknown: outcome("unknown"),
            reuse_age: meter.histogram(&metric::KEY_REUSE_AGE, &[]),
            newer: record("newer"),
            damaged: record("damaged"),
            vanished: record("vanished"),
        }
    }

    /// A key came again.
    pub(crate) fn repeated(&self, record: &Record, now: Timestamp) {
        self.reuse_age.record(now.since(record.first_claim_at));
    }

    /// An attempt says how it ended.
    pub(crate) fn ended(&self, event: &Event) {
        match event {
            Event::Complete(_, Completion::Kept { .. }) => &self.kept,
            Event::Complete(_, Completion::TooLarge { .. }) => &self.too_large,
            Event::Release(..) => &self.released,
            _ => &self.unknown,
        }
        .increment(1);
    }

    /// A record is there and cannot be read.
    pub(crate) fn unreadable(&self, why: Unreadable) {
        match why {
            Unreadable::Newer(_) | Unreadable::NewerRecipe(_) => &self.newer,
            Unreadable::Damaged => &self.damaged,
        }
        .increment(1);
    }
}

/// Sets the gauges for as long as the engine lives.
pub(crate) async fn keep_gauges(engine: Weak<Engine>) {
    while let Some(alive) = engine.upgrade() {
        alive.set_gauges();
        drop(alive);
        tokio::time::sleep(GAUGES_EVERY).await;
    }
}

impl Engine {
    pub(crate) fn set_gauges(&self) {
        let set = |metric, labels: &[&str], value: usize| {
            // Exact up to 2^53.
            self.options.meter.gauge(metric, labels).set(value as f64);
        };
        for (route, count) in self.tally.unknowns() {
            set(&metric::UNKNOWN_RECORDS, &[&route], count);
        }
        set(&metric::OPEN_RECORDS, &[], self.tally.open());
        set(&metric::ATTEMPTS_IN_FLIGHT, &[], self.attempts.count());
        set(&metric::WAITERS, &[], self.flights.waiters());
        if let Some(bytes) = self.store.bytes() {
            self.options.meter.gauge(&metric::LEDGER_BYTES, &[]).set(bytes as f64);
        }
    }
}
