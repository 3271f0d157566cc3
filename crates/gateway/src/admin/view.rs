//! A record as operators see it: states, times and causes. Neither parameters nor result: those are their owner's.

use onlyonce_core::{OperationRef, Record, State, Timestamp, record::ReleaseCause};
use serde::Serialize;

/// One operation.
#[derive(Debug, Serialize)]
pub(super) struct Operation {
    pub(super) operation_ref: String,
    state: &'static str,
    fence: u32,
    route: String,
    first_attempt_at: String,
    attempt_at: String,
    since: String,
    age_seconds: u64,
    #[serde(flatten)]
    details: Details,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Details {
    InProgress {
        lease_until: String,
        deadline_at: String,
    },
    Unknown {
        cause: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        seen_status: Option<u16>,
        on_unknown: &'static str,
        settle: Settle,
    },
    Released {
        cause: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        seen_status: Option<u16>,
        until: String,
    },
    Completed {
        status: u16,
        by: &'static str,
        result_until: String,
        key_until: String,
    },
    Tombstone {
        cause: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        key_until: String,
    },
}

/// What may be said of an unknown now.
#[derive(Debug, Serialize)]
struct Settle {
    applied: bool,
    not_applied: bool,
    /// From when; absent where it can only be forced.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_applied_from: Option<String>,
}

impl Operation {
    pub(super) fn new(reference: OperationRef, record: &Record, now: Timestamp) -> Self {
        let since = since(record);
        Self {
            operation_ref: reference.to_string(),
            state: record.state.name().as_str(),
            fence: record.fence.0,
            route: record.route.clone(),
            first_attempt_at: record.first_claim_at.to_string(),
            attempt_at: record.claimed_at.to_string(),
            since: since.to_string(),
            age_seconds: now.since(since).as_secs(),
            details: details(record, now),
        }
    }
}

/// Since when the record is in its state; for one in progress, since its attempt claimed it.
pub(super) fn since(record: &Record) -> Timestamp {
    match record.state {
        State::InProgress { .. } => record.claimed_at,
        State::Unknown { since, .. } => since,
        State::Released { at, .. } | State::Completed { at, .. } | State::Tombstone { at, .. } => at,
    }
}

/// The first whole second from which something is true: what is printed is never too early.
pub(super) fn not_before(time: Timestamp) -> Timestamp {
    Timestamp::from_ms(time.as_ms().div_ceil(1000).saturating_mul(1000))
}

fn details(record: &Record, now: Timestamp) -> Details {
    match record.state {
        State::InProgress { lease_until } => Details::InProgress {
            lease_until: lease_until.to_string(),
            deadline_at: record.claimed_at.plus(record.policy.deadline).to_string(),
        },
        State::Unknown { settle_from, cause, seen_status, .. } => {
            let from = record.policy.settle_after.map(|wait| settle_from.plus(wait));
            Details::Unknown {
                cause: cause.as_str(),
                seen_status,
                on_unknown: record.policy.on_unknown.as_str(),
                settle: Settle {
                    applied: true,
                    not_applied: from.is_some_and(|from| from <= now),
                    not_applied_from: from.map(|from| not_before(from).to_string()),
                },
            }
        }
        State::Released { until, cause, .. } => {
            let seen_status = match cause {
                ReleaseCause::Answered(status) => Some(status),
                _ => None,
            };
            Details::Released { cause: cause.as_str(), seen_status, until: until.to_string() }
        }
        State::Completed { status, by, result_until, key_until, .. } => Details::Completed {
            status,
            by: by.as_str(),
            result_until: result_until.to_string(),
            key_until: key_until.to_string(),
        },
        State::Tombstone { status, cause, key_until, .. } => {
            Details::Tombstone { cause: cause.as_str(), status, key_until: key_until.to_string() }
        }
    }
}
