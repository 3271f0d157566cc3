//! Which of two records of one key is the later one.
//!
//! Invariant: nothing is written over that was claimed later, and no known outcome by an open record of the same attempt. In
//! doubt what stands is kept.

use bytes::Bytes;
use onlyonce_core::{Record, Timestamp, Version, codec};

/// Bytes that stand for *never* where a row says when it expires.
const NEVER: [u8; 8] = [0xff; 8];

/// What becomes of a record that is imported where another one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// It is written over the one of this version.
    Over(Version),
    /// What stands is as late or later.
    Keep,
    /// Both were claimed by different attempts with one fence: two ledgers were used at the same time. What stands is kept.
    Contradiction,
}

/// `None` is a record that cannot be read: it is never written over, and writes over nothing.
pub(super) fn judge(standing: Option<&Record>, moved: Option<&Record>, now: Timestamp) -> Merged {
    let (Some(standing), Some(moved)) = (standing, moved) else { return Merged::Keep };
    let over = Merged::Over(standing.version);
    if moved.at(now).is_none() {
        return Merged::Keep;
    }
    if standing.at(now).is_none() || standing.fence < moved.fence {
        return over;
    }
    if standing.fence > moved.fence {
        return Merged::Keep;
    }
    if standing.version.attempt != moved.version.attempt {
        return match (is_released(standing), is_released(moved)) {
            (_, true) => Merged::Keep,
            (true, false) => over,
            (false, false) => Merged::Contradiction,
        };
    }
    let order = |record: &Record| (!record.is_open(), record.version.revision);
    if order(standing) < order(moved) { over } else { Merged::Keep }
}

fn is_released(record: &Record) -> bool {
    matches!(record.state, onlyonce_core::State::Released { .. })
}

/// A damaged row as a store takes it: what it is read by has to be whole. Without that it gets a beginning that says that it
/// never expires; it is damaged as before.
pub(super) fn storable(row: Bytes) -> Bytes {
    if codec::peek(&row).is_ok() {
        return row;
    }
    // Format, not open, never; then a version that nobody has.
    let rest = [0; codec::PEEK_LEN - 2 - NEVER.len()];
    [&[codec::FORMAT, 0][..], &NEVER, &rest, &row].concat().into()
}

#[cfg(test)]
mod tests;
