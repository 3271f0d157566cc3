//! The identity row's bytes.
//!
//! | bytes | what                                                                       |
//! |-------|----------------------------------------------------------------------------|
//! | 1     | format                                                                     |
//! | 1     | recipe                                                                     |
//! | 16    | id                                                                         |
//! | 8     | birth, ms, big-endian                                                      |
//! | 24    | nonce                                                                      |
//! | 48    | the ledger key, wrapped                                                    |
//! | 8     | forgotten-before, ms; 0: it was never restored                             |
//! | 4     | how often the key was wrapped anew                                         |
//! | 9     | only while it is exported: 1; since, ms                                    |
//! | 17    | only while it is imported into: 2, or 3 if it took claims before; since, ms; the file's time, ms |
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
const IMPORTING_INTO_OPEN: u8 = 3;

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
        /// When the file was written, by its ledger's clock: one that is older does not have all that may be here already.
        file: Timestamp,
        /// Whether it took claims before, so that it was whole without the file, too.
        was_open: bool,
    },
}

/// The parts of a row.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(super) prefix: &'a [u8; PREFIX_LEN],
    pub(super) nonce: &'a [u8; NONCE_LEN],
    pub(super) wrapped: &'a [u8],
    /// How often the key was wrapped anew.
    pub(super) rewraps: u32,
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
        let (before, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let before = Timestamp::from_ms(u64::from_be_bytes(*before));
        let forgotten_before = (before > Timestamp::default()).then_some(before);
        let (rewraps, closed) = rest.split_first_chunk().ok_or_else(damaged)?;
        let rewraps = u32::from_be_bytes(*rewraps);
        Ok(Self { prefix, nonce, wrapped, forgotten_before, rewraps, closed: read_closed(closed)? })
    }

    /// Which ledger it is, and by which rules its records are made: what never changes in the life of a process.
    pub(crate) fn is_same_ledger(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }

    /// The same row, of a ledger that was restored then, unless it was later.
    pub(crate) fn restored(self, before: Option<Timestamp>) -> Self {
        Self { forgotten_before: self.forgotten_before.max(before), ..self }
    }

    /// Whether both open with the same secret, as far as can be told without it.
    pub(crate) fn is_wrapped_as(&self, other: &Self) -> bool {
        (self.nonce, self.wrapped) == (other.nonce, other.wrapped)
    }

    /// Of two rows of one ledger the one that was wrapped later; this one, if that cannot be told.
    pub(crate) fn or_wrapped_later(self, other: Self) -> Self {
        if other.rewraps > self.rewraps { other } else { self }
    }

    /// The same row, closed or not.
    pub(crate) fn with(&self, closed: Option<Closed>) -> Bytes {
        let before = self.forgotten_before.unwrap_or_default().as_ms().to_be_bytes();
        let rewraps = self.rewraps.to_be_bytes();
        let mut row = [self.prefix.as_slice(), self.nonce, self.wrapped, &before, &rewraps].concat();
        let mut put = |word: u8, times: &[Timestamp]| {
            row.push(word);
            times.iter().for_each(|time| row.extend_from_slice(&time.as_ms().to_be_bytes()));
        };
        match closed {
            None => {}
            Some(Closed::Exported { since }) => put(EXPORTED, &[since]),
            Some(Closed::Importing { since, file, was_open: false }) => put(IMPORTING, &[since, file]),
            Some(Closed::Importing { since, file, was_open: true }) => {
                put(IMPORTING_INTO_OPEN, &[since, file]);
            }
        }
        row.into()
    }
}

fn read_closed(bytes: &[u8]) -> Result<Option<Closed>, OpenError> {
    let Some((word, times)) = bytes.split_first() else { return Ok(None) };
    let (times, rest) = times.as_chunks();
    let time = |bytes: &[u8; 8]| Timestamp::from_ms(u64::from_be_bytes(*bytes));
    match (*word, times, rest) {
        (EXPORTED, [since], []) => Ok(Some(Closed::Exported { since: time(since) })),
        (IMPORTING | IMPORTING_INTO_OPEN, [since, file], []) => Ok(Some(Closed::Importing {
            since: time(since),
            file: time(file),
            was_open: *word == IMPORTING_INTO_OPEN,
        })),
        (EXPORTED | IMPORTING | IMPORTING_INTO_OPEN, ..) => Err(damaged()),
        _ => Err(newer("state")),
    }
}

pub(super) fn damaged() -> OpenError {
    OpenError::new(OpenErrorKind::Unreadable, "its identity is damaged; restore it from a backup")
}

pub(super) fn newer(what: &str) -> OpenError {
    OpenError::new(OpenErrorKind::Unreadable, format!("it has a newer {what}; use the version that wrote it"))
}
