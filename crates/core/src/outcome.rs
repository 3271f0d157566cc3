//! What an answer's status says about the operation: a table, as data.
//!
//! Invariant: a status frees the key only if it is HTTP's way to say that the request was not performed
//! (RFC 9110, section 15). What broke off or timed out is not in this table: it has no status to trust.

use std::collections::BTreeMap;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The answer is the operation's result: it is stored and replayed.
    Kept,
    /// Nothing was done: the key is free again.
    Released,
    /// Nobody knows.
    Unknown,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// First status of the range.
    pub from: u16,
    /// Last status of the range.
    pub to: u16,
    /// Whether `Retry-After` must be there, or must not; `None` if it does not matter.
    pub retry_after: Option<bool>,
    /// What the answer means.
    pub outcome: Outcome,
}

const fn row(from: u16, to: u16, outcome: Outcome) -> Row {
    Row { from, to, retry_after: None, outcome }
}

/// The first row that fits decides, and the last one fits all: what is no final status at all, 1xx or from 600 on, is
/// [`Outcome::Unknown`].
pub const TABLE: &[Row] = &[
    row(307, 308, Outcome::Released),
    row(401, 401, Outcome::Released),
    row(403, 403, Outcome::Released),
    row(405, 408, Outcome::Released),
    row(412, 413, Outcome::Released),
    row(415, 415, Outcome::Released),
    row(417, 417, Outcome::Released),
    row(421, 421, Outcome::Released),
    row(425, 425, Outcome::Released),
    row(428, 429, Outcome::Released),
    row(431, 431, Outcome::Released),
    row(460, 460, Outcome::Unknown),
    Row { from: 503, to: 503, retry_after: Some(true), outcome: Outcome::Released },
    row(502, 504, Outcome::Unknown),
    row(521, 521, Outcome::Released),
    row(523, 523, Outcome::Released),
    row(520, 530, Outcome::Unknown),
    row(598, 599, Outcome::Unknown),
    row(200, 599, Outcome::Kept),
    row(0, u16::MAX, Outcome::Unknown),
];

/// Answers to a re-run by which a deduplicating upstream says *not now*: the first attempt stays in doubt.
pub const RERUN_IN_DOUBT: &[u16] = &[409, 412, 423, 425, 429, 503];

/// After these, whoever waits gets the same answer instead of trying in turn: the upstream is not there or not able.
pub const SAME_FOR_WAITERS: &[u16] = &[408, 425, 429, 503];

/// What a first attempt's answer means.
pub fn of_answer(status: u16, retry_after: bool) -> Outcome {
    TABLE
        .iter()
        .find(|row| {
            (row.from..=row.to).contains(&status)
                && row.retry_after.is_none_or(|wanted| wanted == retry_after)
        })
        .expect("the last row fits every status")
        .outcome
}

/// What a re-run's answer means.
pub fn of_rerun_answer(status: u16, retry_after: bool) -> Outcome {
    if RERUN_IN_DOUBT.contains(&status) { Outcome::Unknown } else { of_answer(status, retry_after) }
}

/// What a route says of the answers of its own upstream, on top of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By status.
    pub by_status: BTreeMap<u16, Outcome>,
    /// What frees a key at all.
    pub frees: Frees,
}

/// What frees a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frees {
    /// Answers by which HTTP says that the request was not performed.
    #[default]
    Http,
    /// Only what was not sent.
    Strict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_contract_has_its_outcome() {
        let released =
            [307, 308, 401, 403, 405, 406, 407, 408, 412, 413, 415, 417, 421, 425, 428, 429, 431, 521, 523];
        let unknown = [
            460, 502, 503, 504, 520, 522, 524, 525, 526, 527, 528, 529, 530, 598, 599, 100, 101, 199, 600,
            999,
        ];
        let kept = [
            200, 201, 202, 204, 206, 299, 300, 301, 302, 303, 304, 400, 402, 404, 409, 410, 411, 414, 416,
            418, 422, 423, 424, 426, 451, 499, 500, 501, 505, 507, 511, 519, 531, 597,
        ];
        for (statuses, outcome) in
            [(&released[..], Outcome::Released), (&unknown[..], Outcome::Unknown), (&kept[..], Outcome::Kept)]
        {
            for status in statuses {
                assert_eq!(of_answer(*status, false), outcome, "{status}");
            }
        }
        assert_eq!(of_answer(503, true), Outcome::Released);
    }

    #[test]
    fn a_re_run_that_is_told_not_now_stays_in_doubt() {
        for status in RERUN_IN_DOUBT {
            assert_eq!(of_rerun_answer(*status, true), Outcome::Unknown, "{status}");
        }
        assert_eq!(of_rerun_answer(201, false), Outcome::Kept);
    }
}
