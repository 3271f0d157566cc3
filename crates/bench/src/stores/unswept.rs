//! A store in which nothing expires until somebody else sees to it: so that what expiry costs can be told from the rest.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp};
use onlyonce_ledger::{
    clock::Steady,
    store::{Applied, AuditPage, Capabilities, Command, Reply, Room, Row, Store},
};

/// All but the sweep goes through.
pub(crate) struct Unswept(pub(crate) Arc<dyn Store>);

impl Store for Unswept {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn retention_now(&self) -> Timestamp {
        self.0.retention_now()
    }

    fn lag(&self) -> Duration {
        self.0.lag()
    }

    fn steady(&self) -> Steady {
        self.0.steady()
    }

    fn hear_time(&self) -> Reply<'_, ()> {
        self.0.hear_time()
    }

    fn room(&self, in_flight_bytes: u64) -> Room {
        self.0.room(in_flight_bytes)
    }

    fn room_for_result(&self, bytes: u64) -> Room {
        self.0.room_for_result(bytes)
    }

    fn bytes(&self) -> Option<u64> {
        self.0.bytes()
    }

    fn batches_at_once(&self) -> usize {
        self.0.batches_at_once()
    }

    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>> {
        self.0.apply(batch)
    }

    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        self.0.heads(ids)
    }

    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>> {
        self.0.body(id)
    }

    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.0.open(after, limit)
    }

    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>> {
        self.0.rows(after, limit)
    }

    fn is_empty(&self) -> Reply<'_, bool> {
        self.0.is_empty()
    }

    fn sweep(&self, _now: Timestamp, _limit: usize) -> Reply<'_, usize> {
        Box::pin(async { Ok(0) })
    }

    fn identity(&self) -> Reply<'_, Option<Bytes>> {
        self.0.identity()
    }

    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool> {
        self.0.set_identity(expect, row)
    }

    fn note(&self, entry: Bytes) -> Reply<'_, ()> {
        self.0.note(entry)
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage> {
        self.0.audit(before, limit)
    }
}
