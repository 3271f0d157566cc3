//! The memory store with somebody in front of it: for tests that watch, hold, refuse or falsify what a store is asked.
//!
//! Whoever stands there implements [`Intercept`] and writes down the calls that it changes; all others go through. It
//! decides nothing about records, and no product code uses it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp};

use crate::{
    clock::Steady,
    memory::MemoryStore,
    store::{Applied, AuditPage, Capabilities, Command, Reply, Room, Row, Store},
};

/// What becomes of a store's calls; each does what the store does unless it is overridden.
pub trait Intercept: Send + Sync + 'static {
    /// See [`Store::capabilities`].
    fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
        rows.capabilities()
    }
    /// See [`Store::now`].
    fn now(&self, rows: &MemoryStore) -> Timestamp {
        rows.now()
    }
    /// See [`Store::retention_now`].
    fn retention_now(&self, rows: &MemoryStore) -> Timestamp {
        self.now(rows)
    }
    /// See [`Store::lag`].
    fn lag(&self, rows: &MemoryStore) -> Duration {
        rows.lag()
    }
    /// See [`Store::steady`].
    fn steady(&self, rows: &MemoryStore) -> Steady {
        rows.steady()
    }
    /// See [`Store::hear_time`].
    fn hear_time<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, ()> {
        rows.hear_time()
    }
    /// See [`Store::batches_at_once`].
    fn batches_at_once(&self, rows: &MemoryStore) -> usize {
        rows.batches_at_once()
    }
    /// See [`Store::room`].
    fn room(&self, rows: &MemoryStore, in_flight_bytes: u64) -> Room {
        rows.room(in_flight_bytes)
    }
    /// See [`Store::room_for_result`].
    fn room_for_result(&self, rows: &MemoryStore, bytes: u64) -> Room {
        self.room(rows, bytes)
    }
    /// See [`Store::apply`].
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        rows.apply(batch)
    }
    /// See [`Store::heads`].
    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        rows.heads(ids)
    }
    /// See [`Store::body`].
    fn body<'a>(&'a self, rows: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        rows.body(id)
    }
    /// See [`Store::open`].
    fn open<'a>(
        &'a self,
        rows: &'a MemoryStore,
        after: Option<RecordId>,
        limit: usize,
    ) -> Reply<'a, Vec<Row>> {
        rows.open(after, limit)
    }
    /// See [`Store::rows`].
    fn rows<'a>(
        &'a self,
        rows: &'a MemoryStore,
        after: Option<RecordId>,
        limit: usize,
    ) -> Reply<'a, Vec<Row>> {
        rows.rows(after, limit)
    }
    /// See [`Store::is_empty`].
    fn is_empty<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, bool> {
        rows.is_empty()
    }
    /// See [`Store::sweep`].
    fn sweep<'a>(&'a self, rows: &'a MemoryStore, now: Timestamp, limit: usize) -> Reply<'a, usize> {
        rows.sweep(now, limit)
    }
    /// See [`Store::identity`].
    fn identity<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, Option<Bytes>> {
        rows.identity()
    }
    /// See [`Store::set_identity`].
    fn set_identity<'a>(
        &'a self,
        rows: &'a MemoryStore,
        expect: Option<&'a [u8]>,
        row: Bytes,
    ) -> Reply<'a, bool> {
        rows.set_identity(expect, row)
    }
    /// See [`Store::note`].
    fn note<'a>(&'a self, rows: &'a MemoryStore, entry: Bytes) -> Reply<'a, ()> {
        rows.note(entry)
    }
    /// See [`Store::audit`].
    fn audit<'a>(&'a self, rows: &'a MemoryStore, before: Option<u64>, limit: usize) -> Reply<'a, AuditPage> {
        rows.audit(before, limit)
    }
}

/// A store whose calls go by somebody.
#[derive(Debug)]
pub struct Intercepted<I> {
    rows: Arc<MemoryStore>,
    by: Arc<I>,
}

impl<I: Intercept> Intercepted<I> {
    /// `rows` behind `by`. Who keeps either sees past it, or tells it what to do.
    pub fn new(rows: Arc<MemoryStore>, by: Arc<I>) -> Arc<Self> {
        Arc::new(Self { rows, by })
    }
}

impl<I: Intercept> Store for Intercepted<I> {
    fn capabilities(&self) -> Capabilities {
        self.by.capabilities(&self.rows)
    }

    fn now(&self) -> Timestamp {
        self.by.now(&self.rows)
    }

    fn retention_now(&self) -> Timestamp {
        self.by.retention_now(&self.rows)
    }

    fn lag(&self) -> Duration {
        self.by.lag(&self.rows)
    }

    fn steady(&self) -> Steady {
        self.by.steady(&self.rows)
    }

    fn hear_time(&self) -> Reply<'_, ()> {
        self.by.hear_time(&self.rows)
    }

    fn batches_at_once(&self) -> usize {
        self.by.batches_at_once(&self.rows)
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.by.room(&self.rows, in_flight_bytes)
    }

    fn room_for_result(&self, bytes: u64) -> Room {
        self.by.room_for_result(&self.rows, bytes)
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        self.by.apply(&self.rows, batch)
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        self.by.heads(&self.rows, ids)
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.by.body(&self.rows, id)
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.by.open(&self.rows, after, limit)
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.by.rows(&self.rows, after, limit)
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        self.by.is_empty(&self.rows)
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize> {
        self.by.sweep(&self.rows, now, limit)
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.by.identity(&self.rows)
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        self.by.set_identity(&self.rows, expect, row)
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        self.by.note(&self.rows, entry)
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        self.by.audit(&self.rows, before, limit)
    }
}
