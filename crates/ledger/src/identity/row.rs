//! The identity row's bytes.
//!
//! | bytes | what                                                         |
//! |-------|--------------------------------------------------------------|
//! | 1     | format                                                       |
//! | 1     | recipe                                                       |
//! | 16    | id                                                           |
//! | 8     | birth, ms, big-endian                                        |
//! | 24    | nonce                                                        |
//! | 48    | the ledger key, wrapped                                      |
//! | 8     | forgotten-before, ms; 0: it was never restored               |
//! | 9     | only while it is closed: 1 exported or 2 importing; since, ms |
//!
//! What is before the nonce is bound to the wrapped key. Whether a ledger is closed is not: whoever can write the row could
//! as well write the records.

use bytes::Bytes;
use onlyonce_core::Timestamp;

use super::{OpenError, OpenErrorKind};
use crate::aead::{NONCE_LEN, TAG_LEN};

pub(super) const FORMAT: u8 = 1;
pub(super) const PREFIX_LEN: usize = 26;
const WRAPPED_LEN: usize = 32 + TAG_LEN;
const EXPORTED: u8 = 1;
const IMPORTING: u8 = 2;

/// Why a ledger takes no claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was exported, and goes on elsewhere.
    Exported {
        /// Since when it is closed.
        since: Timestamp,
    },
    /// An import into it has begun and not ended.
    Importing {
        /// Since when it is closed.
        since: Timestamp,
    },
}

/// The parts of a row.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(super) prefix: &'a [u8; PREFIX_LEN],
    pub(super) nonce: &'a [u8; NONCE_LEN],
    pub(super) wrapped: &'a [u8],
    /// What was done before may be missing, because the ledger was restored to an earlier state.
    pub(crate) forgotten_before: Option<Timestamp>,
    pub(crate) closed: Option<Closed>,
}

impl<'a> Parts<'a> {
    pub(crate) fn read(row: &'a [u8]) -> Result<Self, OpenError> {
        let (prefix, rest) = row.split_first_chunk::<PREFIX_LEN>().ok_or_else(damaged)?;
        if prefix.first() != Some(&FORMAT) {
            return Err(newer("format"));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let (wrapped, rest) = rest.split_at_checked(WRAPPED_LEN).ok_or_else(damaged)?;
        let (before, closed) = rest.split_first_chunk().ok_or_else(damaged)?;
        let before = Timestamp::from_ms(u64::from_be_bytes(*before));
        let forgotten_before = (before > Timestamp::default()).then_some(before);
        Ok(Self { prefix, nonce, wrapped, forgotten_before, closed: read_closed(closed)? })
    }

    /// Which ledger it is, and by which rules its records are made: what never changes in the life of a process.
    pub(crate) fn is_same_ledger(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }

    /// The same row, of a ledger that was restored then, unless it was later.
    pub(crate) fn restored(self, before: Option<Timestamp>) -> Self {
        Self { forgotten_before: self.forgotten_before.max(before), ..self }
    }

    /// The same row, closed or not.
    pub(crate) fn with(&self, closed: Option<Closed>) -> Bytes {
        let before = self.forgotten_before.unwrap_or_default().as_ms().to_be_bytes();
        let mut row = [self.prefix.as_slice(), self.nonce, self.wrapped, &before].concat();
        let (word, since) = match closed {
            None => return row.into(),
            Some(Closed::Exported { since }) => (EXPORTED, since),
            Some(Closed::Importing { since }) => (IMPORTING, since),
        };
        row.push(word);
        row.extend_from_slice(&since.as_ms().to_be_bytes());
        row.into()
    }
}

fn read_closed(bytes: &[u8]) -> Result<Option<Closed>, OpenError> {
    let Some((word, since)) = bytes.split_first() else { return Ok(None) };
    let since = since.try_into().map(u64::from_be_bytes).map(Timestamp::from_ms).map_err(|_| damaged())?;
    match *word {
        EXPORTED => Ok(Some(Closed::Exported { since })),
        IMPORTING => Ok(Some(Closed::Importing { since })),
        _ => Err(newer("state")),
    }
}

pub(super) fn damaged() -> OpenError {
    OpenError::new(OpenErrorKind::Unreadable, "its identity is damaged; restore it from a backup")
}

pub(super) fn newer(what: &str) -> OpenError {
    OpenError::new(OpenErrorKind::Unreadable, format!("it has a newer {what}; use the version that wrote it"))
}
