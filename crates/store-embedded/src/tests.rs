//! Tests of what only this backend does: fjall's merges, its journal, a real disk and real kills.

use std::path::Path;

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Fence, Fingerprint, Owner, Policy, Record, RecordId, State, Timestamp, Version, codec,
    fingerprint::Recipe, record::Source,
};
use onlyonce_ledger::store::{Applied, Body, Command, Store};

use crate::{EmbeddedStore, Options};

mod batch;
mod crash;
mod disk;
mod expiry;
mod open;
mod replayed;

/// A time long past.
const PAST: Timestamp = Timestamp::from_ms(1_000_000_000);

fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, Options::default()).unwrap()
}

fn id(number: u32) -> RecordId {
    let mut id = [0; 16];
    // Spread over the whole range, as hashes are.
    id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    id[12..].copy_from_slice(&number.to_be_bytes());
    RecordId(id)
}

fn version(revision: u32) -> Version {
    Version { attempt: AttemptId([1; 16]), revision }
}

fn in_progress(revision: u32) -> Record {
    Record {
        version: version(revision),
        fence: Fence::FIRST,
        first_claim_at: PAST,
        claimed_at: PAST,
        recipe: Recipe::V1,
        fingerprint: Fingerprint([7; 32]),
        owner: Owner([8; 16]),
        route: "POST /transfers".to_owned(),
        policy: Policy::default(),
        earlier_unknown: None,
        parameters: Bytes::from(vec![9; 64]),
        state: State::InProgress { lease_until: PAST },
    }
}

fn completed(revision: u32, until: Timestamp) -> Record {
    let state = State::Completed {
        at: PAST,
        status: 201,
        by: Source::Attempt,
        result_until: until,
        key_until: until,
    };
    Record { state, ..in_progress(revision) }
}

/// The write of a record's revision over the one before it.
fn write(id: RecordId, record: &Record) -> Command {
    let revision = record.version.revision;
    let expect = (revision > 1).then(|| version(revision - 1));
    Command { id, expect, head: codec::encode(record), body: Body::Keep, note: None }
}

async fn apply(store: &EmbeddedStore, command: Command) {
    assert_eq!(store.apply(vec![command]).await.unwrap(), [Applied::Yes]);
}

async fn head(store: &EmbeddedStore, id: RecordId) -> Option<Bytes> {
    store.heads(&[id]).await.unwrap().remove(0)
}
