//! Records and commands that the cases write, and backends' own tests: real ones, for a store may keep a record's parts in
//! columns of its own.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Fence, Fingerprint, Owner, Policy, Record, RecordId, State, Timestamp, Version, codec,
    fingerprint::Recipe,
    record::{Source, UnknownCause},
};
use onlyonce_ledger::store::{Body, Command};

/// A time long past by any clock, so that what expires then has expired.
pub const PAST: Timestamp = Timestamp::from_ms(1_000_000_000);

/// Ids that spread over the whole range, in the order of their numbers.
pub fn id(number: u16) -> RecordId {
    let mut id = [0x5a; 16];
    let [high, low] = number.to_be_bytes();
    id[0] = high;
    id[1] = low;
    RecordId(id)
}

/// A point in time, so many seconds later.
pub fn later(time: Timestamp, seconds: u64) -> Timestamp {
    time.plus(Duration::from_secs(seconds))
}

/// The version that attempt number `attempt` gives its `revision`th write.
pub fn version(attempt: u8, revision: u32) -> Version {
    Version { attempt: AttemptId([attempt; 16]), revision }
}

/// A claimed record.
pub fn in_progress(version: Version) -> Record {
    Record {
        version,
        fence: Fence::FIRST,
        first_claim_at: PAST,
        claimed_at: PAST,
        recipe: Recipe::V1,
        fingerprint: Fingerprint([7; 32]),
        owner: Owner([8; 16]),
        route: "POST /transfers".to_owned(),
        policy: Policy::default(),
        earlier_unknown: None,
        parameters: Bytes::from_static(b"sealed"),
        state: State::InProgress { lease_until: later(PAST, 60) },
    }
}

/// A record that nobody knows the outcome of.
pub fn unknown(version: Version) -> Record {
    let state =
        State::Unknown { since: PAST, settle_from: PAST, cause: UnknownCause::Lapsed, seen_status: None };
    Record { state, ..in_progress(version) }
}

/// A record with a result, which is remembered until `until`.
pub fn completed(version: Version, until: Timestamp) -> Record {
    let state = State::Completed {
        at: PAST,
        status: 201,
        by: Source::Attempt,
        result_until: until,
        key_until: until,
    };
    Record { state, ..in_progress(version) }
}

/// Writes the record where no row stands.
pub fn insert(id: RecordId, record: &Record) -> Command {
    Command { id, expect: None, head: codec::encode(record), body: Body::Keep, note: None }
}

/// Writes the record where `expect` stands.
pub fn update(id: RecordId, expect: Version, record: &Record) -> Command {
    Command { expect: Some(expect), ..insert(id, record) }
}

/// The same with a result.
pub fn with_result(command: Command, bytes: &Bytes, until: Timestamp) -> Command {
    Command { body: Body::Put { bytes: bytes.clone(), until }, ..command }
}

/// The same with an audit entry.
pub fn with_note(command: Command, entry: &'static str) -> Command {
    Command { note: Some(Bytes::from_static(entry.as_bytes())), ..command }
}

/// Bytes that no compression makes smaller, for a seed.
pub fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(len);
    bytes.into()
}
