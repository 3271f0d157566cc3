//! What can happen to a record.
//!
//! Imperatives of an attempt name the attempt and the fence they act for; those of an operator name the state and
//! fence that he saw. `core` trusts no event: [`crate::decide()`] compares both with what stands.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::{
    AttemptId, Fence, Fingerprint, Outcome, Owner, Policy, Record,
    fingerprint::Recipe,
    outcome,
    record::{ReleaseCause, Source, StateName, UnknownCause},
};

/// What can happen to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request wants to run.
    Claim(Claim),
    /// The attempt works on and wants its lease prolonged.
    Renew(Holder),
    /// The attempt has a result.
    Complete(Holder, Completion),
    /// The attempt had no effect and will have none.
    Release(Holder, ReleaseCause),
    /// The attempt cannot say what became of it.
    LoseTrack(Holder, Unknown),
    /// Somebody saw that the lease has passed.
    Lapse,
    /// The process that held the claim is known to be dead.
    ProcessGone,
    /// A probe or an operator says what became of an unknown.
    Settle(Settle),
    /// An operator removes the result.
    Forget(Seen),
    /// The attempt that holds the record does not find it any more, which was last seen so.
    Vanished(Box<Record>),
}

/// A request that wants to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The new attempt's random name.
    pub attempt: AttemptId,
    /// How the fingerprint was made.
    pub recipe: Recipe,
    /// What the request is.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub owner: Owner,
    /// The route's name.
    pub route: String,
    /// What the route promises.
    pub policy: Policy,
    /// Redacted parameters, sealed.
    pub parameters: Bytes,
}

/// On whose behalf an attempt's event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its fence.
    pub fence: Fence,
}

/// What an attempt's result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It is kept and will be replayed.
    Kept {
        /// Its status.
        status: u16,
    },
    /// It is too large to keep.
    TooLarge {
        /// Its status.
        status: u16,
    },
}

/// What an attempt knows of an outcome that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Why it does not.
    pub cause: UnknownCause,
    /// The status that was seen, if any.
    pub seen_status: Option<u16>,
    /// How long the attempt still holds its connection, and may send what is left of the request: *not applied* is
    /// counted from the end of that.
    pub listening: Duration,
}

/// What a probe or an operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// Who.
    pub by: Source,
    /// What he looked at when he decided.
    pub seen: Seen,
    /// What he decided.
    pub verdict: Verdict,
}

/// The state and fence that somebody saw when he decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The state.
    pub state: StateName,
    /// The fence.
    pub fence: Fence,
}

/// What became of an unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It took effect, and this is the status that repeats get.
    Applied {
        /// The status.
        status: u16,
    },
    /// It had no effect and will have none.
    NotApplied {
        /// Whether `settle_after` is waived. The reason belongs into the audit.
        forced: bool,
    },
}

/// Failed to say *applied*: by this status nobody knows that an operation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEnd(u16);

impl Verdict {
    /// It took effect, and repeats get this status.
    ///
    /// # Errors
    /// [`NoEnd`] for a status that the table does not keep: repeats would be told that nothing was done, or that nobody
    /// knows.
    pub fn applied(status: u16) -> Result<Self, NoEnd> {
        match outcome::by_table(status, false) {
            Outcome::Kept => Ok(Self::Applied { status }),
            Outcome::Released | Outcome::Unknown => Err(NoEnd(status)),
        }
    }

    /// What the audit calls it.
    pub fn action(self) -> String {
        match self {
            Self::Applied { status } => format!("settle applied {status}"),
            Self::NotApplied { forced: false } => "settle not applied".to_owned(),
            Self::NotApplied { forced: true } => "settle not applied, forced".to_owned(),
        }
    }
}

impl fmt::Display for NoEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} says that it was not done, or that nobody knows, and repeats would get it; name the status that the first \
             answer would have had, such as 201",
            self.0
        )
    }
}

impl std::error::Error for NoEnd {}
