//! What the ledger holds of one operation.
//!
//! Invariant: an open record (in progress or unknown) never expires; every other state says until when it stands.
//! [`Record::at`] is the only place where time alone changes what a record means: a result that is past its
//! retention is a tombstone, and a record that is past all of them is absent. What events do is in [`crate::decide()`].

use bytes::Bytes;

use crate::{
    Fence, Fingerprint, OperationRef, Owner, Policy, RecordId, Timestamp, Version, event::Holder,
    fingerprint::Recipe,
};

/// One operation's record, without its result's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the next compare-and-set must find.
    pub version: Version,
    /// How many claims the record has had.
    pub fence: Fence,
    /// When the operation was first claimed; part of its [`OperationRef`].
    pub first_claim_at: Timestamp,
    /// When the present attempt claimed it.
    pub claimed_at: Timestamp,
    /// How the fingerprint was made; repeats are judged under the same recipe.
    pub recipe: Recipe,
    /// What the request was.
    pub fingerprint: Fingerprint,
    /// Whose it is: who may ask what became of it.
    pub owner: Owner,
    /// The route's name in the configuration, such as `POST /transfers`.
    pub route: String,
    /// What the route promised when it was claimed.
    pub policy: Policy,
    /// Set while an earlier attempt's outcome is unknown: its last chance to send. Such a record is never freed.
    pub earlier_unknown: Option<Timestamp>,
    /// The redacted parameters, sealed; empty where none are kept.
    pub parameters: Bytes,
    /// Where the operation stands.
    pub state: State,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// An attempt holds the claim.
    InProgress {
        /// Until when, unless it is renewed.
        lease_until: Timestamp,
    },
    /// The effect may or may not have happened.
    Unknown {
        /// When that was written.
        since: Timestamp,
        /// The attempt's last chance to send; `settle_after` counts from here.
        settle_from: Timestamp,
        /// Why nobody knows.
        cause: UnknownCause,
        /// The status that was seen before the answer broke off.
        seen_status: Option<u16>,
    },
    /// The key is free again; the row stays for a while to keep fences apart.
    Released {
        /// When.
        at: Timestamp,
        /// Until when the row stands.
        until: Timestamp,
        /// Why nothing was applied.
        cause: ReleaseCause,
    },
    /// There is a result.
    Completed {
        /// When the outcome became known.
        at: Timestamp,
        /// The result's status.
        status: u16,
        /// Who said so.
        by: Source,
        /// End of result retention.
        result_until: Timestamp,
        /// End of key retention.
        key_until: Timestamp,
    },
    /// The operation has ended, and its result is not kept.
    Tombstone {
        /// When the outcome became known.
        at: Timestamp,
        /// The result's status, where it is still known.
        status: Option<u16>,
        /// Why there is no result.
        cause: TombstoneCause,
        /// End of key retention.
        key_until: Timestamp,
    },
}

/// Who said what the outcome was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The attempt itself.
    Attempt,
    /// The upstream, when it was asked.
    Probe,
    /// A person.
    Operator,
}

impl Source {
    /// All of them. A record's bytes hold a value's place here, so places are never reused.
    pub const ALL: [Self; 3] = [Self::Attempt, Self::Probe, Self::Operator];

    /// `attempt`, `probe` or `operator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Probe => "probe",
            Self::Operator => "operator",
        }
    }
}

/// Why an outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownCause {
    /// Bytes were sent, and the answer broke off or never came.
    AnswerLost,
    /// The deadline passed.
    Deadline,
    /// Nobody renewed the lease.
    Lapsed,
    /// The process that held the claim is gone.
    ProcessGone,
    /// The upstream's status says that it does not know.
    Answered,
    /// The upstream, or the handler, said so itself (`Idempotency-Outcome: unknown`), or the handler panicked.
    Handler,
    /// The process was told to stop.
    Drained,
    /// A re-run was refused; the outcome of the attempt before it is still unknown.
    RerunRefused,
}

impl UnknownCause {
    /// All of them. A record's bytes hold a value's place here, so places are never reused.
    pub const ALL: [Self; 8] = [
        Self::AnswerLost,
        Self::Deadline,
        Self::Lapsed,
        Self::ProcessGone,
        Self::Answered,
        Self::Handler,
        Self::Drained,
        Self::RerunRefused,
    ];

    /// The cause in a word, as it is shown and asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer-lost",
            Self::Deadline => "deadline",
            Self::Lapsed => "lapsed",
            Self::ProcessGone => "process-gone",
            Self::Answered => "answered",
            Self::Handler => "handler",
            Self::Drained => "drained",
            Self::RerunRefused => "rerun-refused",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// Why a key is free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseCause {
    /// The attempt ended before it began.
    NotStarted,
    /// The upstream was not reached, or accepted no byte.
    NotSent,
    /// The answer's status says that the request was not performed.
    Answered(u16),
    /// The upstream, or the handler, said so itself: `Idempotency-Outcome: release`.
    Handler,
    /// Settled as not applied.
    Settled(Source),
}

impl ReleaseCause {
    /// Whether it is certain that no byte of the request left.
    pub fn nothing_sent(self) -> bool {
        matches!(self, Self::NotStarted | Self::NotSent)
    }

    /// The cause in a word; [`Self::Answered`] without its status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::NotSent => "not-sent",
            Self::Answered(_) => "answered",
            Self::Handler => "handler",
            Self::Settled(Source::Probe) => "settled-by-probe",
            Self::Settled(Source::Operator | Source::Attempt) => "settled-by-operator",
        }
    }
}

/// Why a tombstone has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TombstoneCause {
    /// It was larger than what is kept.
    TooLarge,
    /// Its retention has ended.
    Expired,
    /// An operator removed it.
    Forgotten,
}

impl TombstoneCause {
    /// All of them. A record's bytes hold a value's place here, so places are never reused.
    pub const ALL: [Self; 3] = [Self::TooLarge, Self::Expired, Self::Forgotten];

    /// `too-large`, `expired` or `forgotten`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Expired => "expired",
            Self::Forgotten => "forgotten",
        }
    }
}

/// A state's name, as it is shown and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateName {
    /// An attempt holds the claim.
    InProgress,
    /// The effect may or may not have happened.
    Unknown,
    /// The key is free again.
    Released,
    /// There is a result.
    Completed,
    /// It has ended without a result that is kept.
    Tombstone,
}

impl StateName {
    /// All states, in the order of a record's life.
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Unknown, Self::Released, Self::Completed, Self::Tombstone];

    /// `in-progress`, `unknown`, `released`, `completed` or `tombstone`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Unknown => "unknown",
            Self::Released => "released",
            Self::Completed => "completed",
            Self::Tombstone => "tombstone",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl State {
    /// The state's name.
    pub const fn name(&self) -> StateName {
        match self {
            Self::InProgress { .. } => StateName::InProgress,
            Self::Unknown { .. } => StateName::Unknown,
            Self::Released { .. } => StateName::Released,
            Self::Completed { .. } => StateName::Completed,
            Self::Tombstone { .. } => StateName::Tombstone,
        }
    }
}

impl Record {
    /// The operation's public name.
    pub fn operation_ref(&self, id: RecordId) -> OperationRef {
        OperationRef { record: id, first_claim_at: self.first_claim_at }
    }

    /// On whose behalf the attempt that made the last claim speaks.
    pub fn holder(&self) -> Holder {
        Holder { attempt: self.version.attempt, fence: self.fence }
    }

    /// Whether the operation has not ended: such a record never expires.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::InProgress { .. } | State::Unknown { .. })
    }

    /// Whether an attempt holds it, by a lease that has not passed.
    pub fn is_held(&self, now: Timestamp) -> bool {
        matches!(self.state, State::InProgress { lease_until } if lease_until > now)
    }

    /// When the row may be removed; `None` while it is open.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match self.state {
            State::InProgress { .. } | State::Unknown { .. } => None,
            State::Released { until, .. } => Some(until),
            State::Completed { key_until, .. } | State::Tombstone { key_until, .. } => Some(key_until),
        }
    }

    /// When the result may be removed; `None` where there is none.
    pub const fn result_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Completed { result_until, .. } => Some(result_until),
            _ => None,
        }
    }

    /// The state that counts at `now`: what retention alone has done to it. `None` is absent.
    pub fn at(&self, now: Timestamp) -> Option<State> {
        if self.expires_at().is_some_and(|end| end <= now) {
            return None;
        }
        Some(match self.state {
            State::Completed { at, status, result_until, key_until, .. } if result_until <= now => {
                State::Tombstone { at, status: Some(status), cause: TombstoneCause::Expired, key_until }
            }
            _ => self.state.clone(),
        })
    }
}
