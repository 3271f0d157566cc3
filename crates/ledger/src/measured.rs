//! A store whose calls are timed, and whose failures are counted. What it answers is what the store answers.
//!
//! All of the engine goes through it, so nothing that reaches a store is missed. What is asked only
//! while a ledger is opened or moved (the identity, all rows) is not worth a series.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use metrics::{Counter, Histogram};
use onlyonce_core::{RecordId, Timestamp, metric};
use tokio::time::Instant;

use crate::{
    clock::Steady,
    meter::Meter,
    store::{Applied, AuditPage, Capabilities, Command, Error, ErrorKind, Reply, Room, Row, Store},
};

pub(crate) struct Measured {
    store: Arc<dyn Store>,
    apply: Histogram,
    heads: Histogram,
    body: Histogram,
    open: Histogram,
    sweep: Histogram,
    note: Histogram,
    audit: Histogram,
    batch_size: Histogram,
    not_applied: Counter,
    content: Counter,
    unknown: Counter,
    poisoned: Counter,
}

impl Measured {
    pub(crate) fn new(store: Arc<dyn Store>, meter: &Meter) -> Self {
        let seconds = |operation| meter.histogram(&metric::STORE, &[operation]);
        let errors = |kind| meter.counter(&metric::LEDGER_ERRORS, &[kind]);
        Self {
            store,
            apply: seconds("apply"),
            heads: seconds("heads"),
            body: seconds("body"),
            open: seconds("open"),
            sweep: seconds("sweep"),
            note: seconds("note"),
            audit: seconds("audit"),
            batch_size: meter.histogram(&metric::BATCH_SIZE, &[]),
            not_applied: errors("not_applied"),
            content: errors("content"),
            unknown: errors("unknown"),
            poisoned: errors("poisoned"),
        }
    }

    fn timed<'a, T: 'a>(&'a self, seconds: &'a Histogram, reply: Reply<'a, T>) -> Reply<'a, T> {
        Box::pin(async move {
            let since = Instant::now();
            let answer = reply.await;
            seconds.record(since.elapsed());
            answer.inspect_err(|error| self.failed(error))
        })
    }

    fn failed(&self, error: &Error) {
        match error.kind() {
            ErrorKind::NotApplied => &self.not_applied,
            ErrorKind::Content => &self.content,
            ErrorKind::Unknown => &self.unknown,
            ErrorKind::Poisoned => &self.poisoned,
        }
        .increment(1);
    }
}

impl Store for Measured {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn retention_now(&self) -> Timestamp {
        self.store.retention_now()
    }

    fn lag(&self) -> Duration {
        self.store.lag()
    }

    fn steady(&self) -> Steady {
        self.store.steady()
    }

    fn hear_time(&self) -> Reply<'_, ()> {
        self.store.hear_time()
    }

    fn batches_at_once(&self) -> usize {
        self.store.batches_at_once()
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.store.room(in_flight_bytes)
    }

    fn room_for_result(&self, bytes: u64) -> Room {
        self.store.room_for_result(bytes)
    }

    fn bytes(&self) -> Option<u64> {
        self.store.bytes()
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        self.batch_size.record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        self.timed(&self.apply, self.store.apply(batch))
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        self.timed(&self.heads, self.store.heads(ids))
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.timed(&self.body, self.store.body(id))
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.timed(&self.open, self.store.open(after, limit))
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.store.rows(after, limit)
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        self.store.is_empty()
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        self.timed(&self.sweep, self.store.sweep(now, limit))
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.store.identity()
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        self.store.set_identity(expect, row)
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        self.timed(&self.note, self.store.note(entry))
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        self.timed(&self.audit, self.store.audit(before, limit))
    }
}
