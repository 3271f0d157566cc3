//! The audit: who changed what, when, why, from which state to which.
//!
//! An entry is written in the same batch as the change it tells of. It holds no key, no body and no credential; the
//! operation is named by its `operation_ref`.

use bytes::Bytes;
use onlyonce_core::{OperationRef, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Who changes something, and why.
#[derive(Clone, Debug)]
pub struct Author {
    /// A name, as the operator gave it.
    pub who: String,
    /// The reason, as the operator gave it.
    pub why: String,
    /// What is done: `settle applied`, `forget` and so on.
    pub action: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the ledger's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// What was done.
    pub action: String,
    /// To which operation.
    pub operation_ref: String,
    /// Its state and fence before.
    pub before: String,
    /// Its state and fence after; the same where the change was refused.
    pub after: String,
}

/// The entry of one change to the operation of this name; `None` is absent.
pub(crate) fn entry(
    author: &Author,
    reference: OperationRef,
    before: Option<&Record>,
    after: Option<&Record>,
    now: Timestamp,
) -> Bytes {
    let entry = Entry {
        at_ms: now.as_ms(),
        who: author.who.clone(),
        why: author.why.clone(),
        action: author.action.clone(),
        operation_ref: reference.to_string(),
        before: in_words(before),
        after: in_words(after),
    };
    serde_json::to_vec(&entry).expect("strings and numbers can be written as JSON").into()
}

/// Reads what [`entry`] wrote; `None` if it is damaged.
pub(crate) fn read(bytes: &[u8]) -> Option<Entry> {
    serde_json::from_slice(bytes).ok()
}

fn in_words(record: Option<&Record>) -> String {
    record.map_or_else(
        || "absent".to_owned(),
        |record| format!("{}, fence {}", record.state.name().as_str(), record.fence),
    )
}
