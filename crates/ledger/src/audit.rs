//! The audit: who changed what, when, why, from which state to which.
//!
//! An entry is written in the same batch as the change it tells of. It holds no key, no body and no credential; the
//! operation is named by its `operation_ref`.

use std::fmt;

use bytes::Bytes;
use onlyonce_core::{OperationRef, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Most characters of a name.
const WHO_MAX: usize = 100;
/// Most characters of a reason.
const WHY_MAX: usize = 1_000;

/// Who changes something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    who: String,
    why: String,
    by_filter: bool,
}

/// Failed to sign a change: a name or a reason that the audit cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsigned {
    member: &'static str,
    max: usize,
}

/// What is done, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) author: Author,
    pub(crate) action: String,
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

impl Author {
    /// A person, by name and reason; white space around them does not count.
    ///
    /// # Errors
    /// [`Unsigned`] for one that is empty, too long, or not on one line.
    pub fn new(who: &str, why: &str) -> Result<Self, Unsigned> {
        let who = one_line("by", who, WHO_MAX)?;
        let why = one_line("reason", why, WHY_MAX)?;
        Ok(Self { who, why, by_filter: false })
    }

    /// A part of the program itself.
    pub fn program(who: &'static str, why: impl Into<String>) -> Self {
        Self { who: who.to_owned(), why: why.into(), by_filter: false }
    }

    /// The same, who has not named what is changed: a filter has found it.
    #[must_use]
    pub fn by_filter(self) -> Self {
        Self { by_filter: true, ..self }
    }
}

fn one_line(member: &'static str, text: &str, max: usize) -> Result<String, Unsigned> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Unsigned { member, max }) }
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, max } = self;
        write!(f, "`{member}` must have 1 to {max} characters on one line: it is what the audit keeps")
    }
}

impl std::error::Error for Unsigned {}

/// The entry of one change to the operation of this name; `None` is absent.
pub(crate) fn entry(
    signed: &Signed,
    reference: OperationRef,
    before: Option<&Record>,
    after: Option<&Record>,
    now: Timestamp,
) -> Bytes {
    let Signed { author, action } = signed;
    let entry = Entry {
        at_ms: now.as_ms(),
        who: author.who.clone(),
        why: author.why.clone(),
        action: if author.by_filter { format!("{action}, by filter") } else { action.clone() },
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
