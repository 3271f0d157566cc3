//! A record as operators see it: states, times and causes. Neither parameters nor result: those are their owner's.

use onlyonce_core::{
    OperationRef, Record, State, Timestamp,
    policy::OnUnknown,
    record::{ReleaseCause, Source, TombstoneCause, UnknownCause},
};
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
                cause: unknown_cause(cause),
                seen_status,
                on_unknown: match record.policy.on_unknown {
                    OnUnknown::Hold => "hold",
                    OnUnknown::Rerun => "rerun",
                },
                settle: Settle {
                    applied: true,
                    not_applied: from.is_some_and(|from| from <= now),
                    not_applied_from: from.map(|from| not_before(from).to_string()),
                },
            }
        }
        State::Released { until, cause, .. } => {
            let (cause, seen_status) = release_cause(cause);
            Details::Released { cause, seen_status, until: until.to_string() }
        }
        State::Completed { status, by, result_until, key_until, .. } => Details::Completed {
            status,
            by: source(by),
            result_until: result_until.to_string(),
            key_until: key_until.to_string(),
        },
        State::Tombstone { status, cause, key_until, .. } => {
            Details::Tombstone { cause: tombstone_cause(cause), status, key_until: key_until.to_string() }
        }
    }
}

const UNKNOWN_CAUSES: [UnknownCause; 8] = [
    UnknownCause::AnswerLost,
    UnknownCause::Deadline,
    UnknownCause::Lapsed,
    UnknownCause::ProcessGone,
    UnknownCause::Answered,
    UnknownCause::Handler,
    UnknownCause::Drained,
    UnknownCause::RerunRefused,
];

const fn unknown_cause(cause: UnknownCause) -> &'static str {
    match cause {
        UnknownCause::AnswerLost => "answer-lost",
        UnknownCause::Deadline => "deadline",
        UnknownCause::Lapsed => "lapsed",
        UnknownCause::ProcessGone => "process-gone",
        UnknownCause::Answered => "answered",
        UnknownCause::Handler => "handler",
        UnknownCause::Drained => "drained",
        UnknownCause::RerunRefused => "rerun-refused",
    }
}

/// Reads the word of a cause; the error lists them.
pub(super) fn parse_unknown_cause(text: &str) -> Result<UnknownCause, String> {
    let named = UNKNOWN_CAUSES.into_iter().find(|cause| unknown_cause(*cause) == text);
    named.ok_or_else(|| UNKNOWN_CAUSES.map(unknown_cause).join(", "))
}

fn release_cause(cause: ReleaseCause) -> (&'static str, Option<u16>) {
    match cause {
        ReleaseCause::NotStarted => ("not-started", None),
        ReleaseCause::NotSent => ("not-sent", None),
        ReleaseCause::Answered(status) => ("answered", Some(status)),
        ReleaseCause::Handler => ("handler", None),
        ReleaseCause::Settled(Source::Probe) => ("settled-by-probe", None),
        ReleaseCause::Settled(Source::Operator | Source::Attempt) => ("settled-by-operator", None),
    }
}

fn tombstone_cause(cause: TombstoneCause) -> &'static str {
    match cause {
        TombstoneCause::TooLarge => "too-large",
        TombstoneCause::Expired => "expired",
        TombstoneCause::Forgotten => "forgotten",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Attempt => "attempt",
        Source::Probe => "probe",
        Source::Operator => "operator",
    }
}
