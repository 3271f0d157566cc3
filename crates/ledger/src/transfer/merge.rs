//! Which of two records of one key is the later one.
//!
//! Fences are compared within one operation: a key that begins anew begins with the first fence again. Of two operations, told
//! apart by when they were first claimed, the later one counts. A fence goes up from what is released or unknown alone: a known
//! outcome under a lower one is no earlier state of the higher.
//!
//! Invariant: nothing is written over that was claimed later, unless it did nothing; and no known outcome by an open record of
//! the same operation. In doubt what stands is kept, and people are told.

use std::cmp::Ordering;

use bytes::Bytes;
use onlyonce_core::{Record, State, Timestamp, Version, codec};

/// Bytes that stand for *never* where a row says when it expires.
const NEVER: [u8; 8] = [0xff; 8];

/// What becomes of a record that is imported where another one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// It is written over the one of this version; `None`: what stands is kept.
    pub(super) over: Option<Version>,
    /// The two tell of two attempts, and it is not known that one had ended before the other began: two ledgers were used at
    /// the same time.
    pub(super) contradiction: bool,
}

/// What is known of two operations of one key, or two fences of one.
enum Between {
    /// The earlier one had ended when the later one began, or did nothing.
    Succession,
    /// The later one did nothing, and the earlier one may have.
    LaterDidNothing,
    /// The earlier one was open when it was last seen. It may have been released since, and forgotten.
    Perhaps,
    /// The earlier one had not ended.
    Both,
}

/// `None` is a record that cannot be read: it is never written over, and writes over nothing.
pub(super) fn judge(standing: Option<&Record>, moved: Option<&Record>, now: Timestamp) -> Merged {
    let kept = Merged { over: None, contradiction: false };
    let (Some(standing), Some(moved)) = (standing, moved) else { return kept };
    let over = Merged { over: Some(standing.version), contradiction: false };
    let has_expired = |record: &Record| record.at(now).is_none();
    let operations = standing.first_claim_at.cmp(&moved.first_claim_at);
    if has_expired(moved) {
        return kept;
    }
    if operations.is_le() && has_expired(standing) {
        return over;
    }
    match operations.then(standing.fence.cmp(&moved.fence)) {
        Ordering::Less => match between(standing, moved) {
            Between::Succession => over,
            Between::LaterDidNothing => kept,
            Between::Perhaps => Merged { contradiction: true, ..over },
            Between::Both => Merged { contradiction: true, ..kept },
        },
        Ordering::Greater => match between(moved, standing) {
            Between::Succession => kept,
            Between::LaterDidNothing => over,
            Between::Perhaps | Between::Both => Merged { contradiction: true, ..kept },
        },
        Ordering::Equal => within_one_fence(standing, moved),
    }
}

/// Of two operations, or of two fences of one.
fn between(earlier: &Record, later: &Record) -> Between {
    let is_one = earlier.first_claim_at == later.first_claim_at;
    let released = earlier.claimed_at.plus(earlier.policy.keep_released());
    // Whoever claimed it anew saw it released, or within one operation unknown; what had ended is claimed by nobody.
    let made_way = match is_one {
        true => earlier.is_open(),
        false => earlier.at(later.first_claim_at).is_none(),
    };
    if is_released(earlier) || made_way {
        Between::Succession
    } else if is_released(later) {
        Between::LaterDidNothing
    } else if earlier.is_open() && released <= later.first_claim_at {
        Between::Perhaps
    } else {
        Between::Both
    }
}

/// Two records of one operation under one fence.
fn within_one_fence(standing: &Record, moved: &Record) -> Merged {
    let kept = Merged { over: None, contradiction: false };
    let over = Merged { over: Some(standing.version), contradiction: false };
    if standing.version.attempt != moved.version.attempt {
        return match (is_released(standing), is_released(moved)) {
            (_, true) => kept,
            (true, false) => over,
            (false, false) => Merged { contradiction: true, ..kept },
        };
    }
    let order = |record: &Record| (!record.is_open(), record.version.revision);
    if order(standing) < order(moved) { over } else { kept }
}

fn is_released(record: &Record) -> bool {
    matches!(record.state, State::Released { .. })
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
