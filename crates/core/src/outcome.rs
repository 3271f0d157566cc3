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

/// What the rows that release mean where only what was not sent frees a key ([`Frees::Strict`]): refusals of the request
/// itself are its result, and answers by which a server says *not now* say nothing of what was done before. The first
/// row that fits decides; what fits none is as [`TABLE`] says.
pub const STRICT: &[Row] = &[
    row(307, 308, Outcome::Kept),
    row(401, 401, Outcome::Kept),
    row(403, 403, Outcome::Kept),
    row(405, 407, Outcome::Kept),
    row(408, 408, Outcome::Unknown),
    row(412, 413, Outcome::Kept),
    row(415, 415, Outcome::Kept),
    row(417, 417, Outcome::Kept),
    row(421, 421, Outcome::Kept),
    row(425, 425, Outcome::Unknown),
    row(428, 428, Outcome::Kept),
    row(429, 429, Outcome::Unknown),
    row(431, 431, Outcome::Kept),
    row(503, 503, Outcome::Unknown),
    row(521, 521, Outcome::Unknown),
    row(523, 523, Outcome::Unknown),
];

/// Answers to a re-run by which a deduplicating upstream says *not now*: the first attempt stays unknown, whatever a
/// route says of the status.
pub const RERUN_PUT_OFF: &[u16] = &[409, 412, 423, 425, 429, 503];

/// After these, whoever waits gets the same answer instead of trying in turn: the upstream is not there or not able.
pub const SAME_FOR_WAITERS: &[u16] = &[408, 425, 429, 503];

/// What is to be seen of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Whether it has `Retry-After`.
    pub retry_after: bool,
    /// Whether it answers a re-run: an earlier attempt is unknown.
    pub rerun: bool,
    /// What a layer of our own kind says in it.
    pub inner: Option<Inner>,
}

/// What a layer of our own kind says from within, by the type of its problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// It is still at work, or does not know.
    Unknown,
    /// It has done nothing for this request.
    NotDone,
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

/// What an answer means. An inner layer that does not know goes before everything, then a re-run that is told *not now*,
/// then what the route says of the status, then an inner layer that has done nothing, then the tables. That a re-run was not
/// performed says nothing of the attempt before it, so that is never kept.
pub fn of_answer(answer: Answer, route: &Overrides) -> Outcome {
    let Answer { status, retry_after, rerun, inner } = answer;
    if inner == Some(Inner::Unknown) || (rerun && RERUN_PUT_OFF.contains(&status)) {
        return Outcome::Unknown;
    }
    let not_performed = inner == Some(Inner::NotDone) || by_table(status, retry_after) == Outcome::Released;
    let outcome = match (route.by_status.get(&status), route.frees) {
        (Some(outcome), _) => *outcome,
        (None, Frees::Http) if not_performed => Outcome::Released,
        (None, Frees::Http) => by_table(status, retry_after),
        (None, Frees::Strict) => {
            first(STRICT, status, retry_after).unwrap_or_else(|| by_table(status, retry_after))
        }
    };
    match outcome {
        Outcome::Kept if rerun && not_performed => Outcome::Unknown,
        outcome => outcome,
    }
}

/// What a status means of itself.
pub fn by_table(status: u16, retry_after: bool) -> Outcome {
    first(TABLE, status, retry_after).expect("the last row fits every status")
}

fn first(rows: &[Row], status: u16, retry_after: bool) -> Option<Outcome> {
    let fits = |row: &&Row| {
        (row.from..=row.to).contains(&status) && row.retry_after.is_none_or(|wanted| wanted == retry_after)
    };
    rows.iter().find(fits).map(|row| row.outcome)
}

#[cfg(test)]
mod tests;
