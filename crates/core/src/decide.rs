//! The life of a record: one event, one decision.
//!
//! [`decide`] is the chart of that life as a single exhaustive match over (state, event). It is pure; whoever calls it gives
//! the store's time and writes what comes back as a compare-and-set on [`Record::version`], and asks again if that
//! fails. So two processes that decide at once cannot both be right.
//!
//! Order of judgement for a claim: a mismatch beats every state but absent and released.

use std::time::Duration;

use crate::{
    AttemptId, Fence, Record, State, Timestamp, Version,
    event::{Claim, Completion, Event, Holder, Seen, Settle, Unknown, Verdict},
    policy::OnUnknown,
    record::{ReleaseCause, Source, StateName, TombstoneCause, UnknownCause},
};

/// What an event does to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write this, if the record still has the version it was decided on.
    Write(Box<Record>),
    /// It is so already: the event is a repeat of one that got through.
    Already,
    /// Nothing changes.
    Refuse(Refusal),
}

/// Why nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key stands for another request.
    Mismatch,
    /// An attempt holds the claim.
    InProgress,
    /// The lease has passed; the lapse has to be written before anything else happens.
    Lapsed,
    /// The outcome is unknown.
    Unknown,
    /// There is a result to replay.
    Completed,
    /// It has ended, and the result is gone.
    Gone(TombstoneCause),
    /// There is no such record.
    Absent,
    /// Another attempt has taken the record since: this one comes too late to change anything.
    Superseded,
    /// The operation was settled in the meantime; what the attempt says is a second truth.
    SettledOtherwise,
    /// The lease still holds.
    LeaseHolds,
    /// The record is not open, so there is nothing to end.
    NotOpen,
    /// The record is open, so there is nothing to remove.
    Open,
    /// The operator decided about another state or fence.
    Moved,
    /// *Not applied* cannot be said before this time.
    TooEarly(Timestamp),
    /// *Not applied* can only be forced: nobody said how long the upstream may go on working.
    NoSettleAfter,
}

impl Refusal {
    /// The refusal in a word, for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::InProgress => "in-progress",
            Self::Lapsed => "lapsed",
            Self::Unknown => "unknown",
            Self::Completed => "completed",
            Self::Gone(_) => "gone",
            Self::Absent => "absent",
            Self::Superseded => "superseded",
            Self::SettledOtherwise => "settled-otherwise",
            Self::LeaseHolds => "lease-holds",
            Self::NotOpen => "not-open",
            Self::Open => "open",
            Self::Moved => "moved",
            Self::TooEarly(_) => "too-early",
            Self::NoSettleAfter => "no-settle-after",
        }
    }
}

/// Decides what `event` does to `record` at `now`.
///
/// `record` is what the store holds, `None` if nothing; `now` is the store's time. The record in
/// [`Decision::Write`] has the next revision.
pub fn decide(record: Option<&Record>, event: &Event, now: Timestamp) -> Decision {
    use Decision::{Already, Refuse};
    use Event as E;
    use State as S;

    let Some((record, state)) = record.and_then(|record| Some((record, record.at(now)?))) else {
        return match event {
            E::Claim(claim) => first_claim(record, claim, now),
            E::Renew(_) | E::Complete(..) | E::Release(..) | E::LoseTrack(..) | E::Lapse | E::ProcessGone => {
                Refuse(Refusal::Absent)
            }
            E::Settle(_) | E::Forget(_) => Refuse(Refusal::Absent),
            E::Vanished(last) => last.restored(record, now),
        };
    };
    match (&state, event) {
        (S::InProgress { .. }, E::Claim(claim)) if record.is_of(claim.attempt) => Already,
        (S::InProgress { .. }, E::Claim(claim)) if record.differs(claim) => Refuse(Refusal::Mismatch),
        (S::InProgress { lease_until }, E::Claim(_)) if *lease_until <= now => Refuse(Refusal::Lapsed),
        (S::InProgress { .. }, E::Claim(_)) => Refuse(Refusal::InProgress),
        (S::InProgress { .. }, E::Renew(holder)) => record.held(holder, |r| r.renewed(now)),
        (S::InProgress { .. }, E::Complete(holder, what)) => record.held(holder, |r| r.completed(*what, now)),
        (S::InProgress { .. }, E::Release(holder, why)) => record.held(holder, |r| r.released(*why, now)),
        (S::InProgress { .. }, E::LoseTrack(holder, unknown)) => {
            record.held(holder, |r| r.unknown(*unknown, now.plus(unknown.listening), now))
        }
        (S::InProgress { lease_until }, E::Lapse) if *lease_until <= now => record.lapsed(*lease_until, now),
        (S::InProgress { .. }, E::Lapse) => Refuse(Refusal::LeaseHolds),
        (S::InProgress { .. }, E::ProcessGone) => record.unknown(UnknownCause::ProcessGone.into(), now, now),
        (S::InProgress { .. }, E::Settle(_)) => Refuse(Refusal::InProgress),
        (S::InProgress { .. }, E::Forget(_)) => Refuse(Refusal::Open),
        (S::InProgress { .. }, E::Vanished(last)) => record.held(&last.holder(), |_| Already),

        (S::Unknown { .. }, E::Claim(claim)) if record.differs(claim) => Refuse(Refusal::Mismatch),
        (S::Unknown { settle_from, .. }, E::Claim(claim)) if record.may_rerun(claim, *settle_from, now) => {
            record.reclaimed(claim, Some(*settle_from), now)
        }
        (S::Unknown { .. }, E::Claim(_)) => Refuse(Refusal::Unknown),
        (S::Unknown { .. }, E::Renew(holder)) => record.held(holder, |_| Refuse(Refusal::Unknown)),
        (S::Unknown { .. }, E::Complete(holder, what)) => record.held(holder, |r| r.completed(*what, now)),
        (S::Unknown { .. }, E::Release(holder, why)) if why.nothing_sent() => {
            record.held(holder, |r| r.released(*why, now))
        }
        (S::Unknown { .. }, E::Release(holder, _)) => record.held(holder, |_| Refuse(Refusal::Unknown)),
        (S::Unknown { .. }, E::LoseTrack(holder, _)) => record.held(holder, |_| Already),
        (S::Unknown { .. }, E::Lapse | E::ProcessGone) => Already,
        (S::Unknown { settle_from, .. }, E::Settle(settle)) => record.settled(settle, *settle_from, now),
        (S::Unknown { .. }, E::Forget(_)) => Refuse(Refusal::Open),
        (S::Unknown { .. }, E::Vanished(last)) => record.held(&last.holder(), |_| Already),

        (S::Released { .. }, E::Claim(claim)) => record.reclaimed(claim, None, now),
        (S::Released { cause: ReleaseCause::Settled(_), .. }, E::Complete(holder, what)) => {
            record.held(holder, |r| r.completed(*what, now))
        }
        (S::Released { .. }, E::Release(holder, _)) => record.held(holder, |_| Already),
        (S::Released { .. }, E::Renew(holder) | E::Complete(holder, _) | E::LoseTrack(holder, _)) => {
            record.held(holder, |_| Refuse(Refusal::NotOpen))
        }
        (S::Released { .. }, E::Lapse | E::ProcessGone | E::Settle(_)) => Refuse(Refusal::NotOpen),
        (S::Released { .. }, E::Forget(_)) => Refuse(Refusal::Absent),
        (S::Released { .. }, E::Vanished(last)) if record.came_before(last) => {
            last.written_after(record.version.revision, now)
        }
        (S::Released { .. }, E::Vanished(last)) => record.held(&last.holder(), |_| Refuse(Refusal::NotOpen)),

        (S::Completed { .. } | S::Tombstone { .. }, E::Claim(claim)) if record.differs(claim) => {
            Refuse(Refusal::Mismatch)
        }
        (S::Completed { .. }, E::Claim(_)) => Refuse(Refusal::Completed),
        (S::Tombstone { cause, .. }, E::Claim(_)) => Refuse(Refusal::Gone(*cause)),
        (S::Completed { by: Source::Attempt, .. }, E::Complete(holder, _)) => {
            record.held(holder, |_| Already)
        }
        (S::Tombstone { cause: TombstoneCause::TooLarge, .. }, E::Complete(holder, _)) => {
            record.held(holder, |_| Already)
        }
        (
            S::Completed { by: Source::Probe | Source::Operator, .. },
            E::Complete(holder, _) | E::Release(holder, _),
        ) => record.held(holder, |_| Refuse(Refusal::SettledOtherwise)),
        (
            S::Completed { .. } | S::Tombstone { .. },
            E::Renew(holder) | E::Complete(holder, _) | E::Release(holder, _) | E::LoseTrack(holder, _),
        ) => record.held(holder, |_| Refuse(Refusal::NotOpen)),
        (S::Completed { .. } | S::Tombstone { .. }, E::Lapse | E::ProcessGone | E::Settle(_)) => {
            Refuse(Refusal::NotOpen)
        }
        (S::Completed { .. } | S::Tombstone { .. }, E::Forget(seen)) => record.forgotten(*seen, &state),
        (S::Completed { .. } | S::Tombstone { .. }, E::Vanished(last)) => {
            record.held(&last.holder(), |_| Refuse(Refusal::NotOpen))
        }
    }
}

/// A key that nobody holds: a new operation, also where an expired row still lies in the store.
fn first_claim(expired: Option<&Record>, claim: &Claim, now: Timestamp) -> Decision {
    // An operation_ref must not repeat, even if two operations of one key begin in one millisecond.
    let earliest = expired.map_or(0, |old| old.first_claim_at.as_ms() + 1);
    let first_claim_at = Timestamp::from_ms(now.as_ms().max(earliest));
    let revision = expired.map_or(0, |old| old.version.revision);
    Decision::Write(Box::new(in_progress(
        claim,
        Claimed { revision, fence: Fence::FIRST, first_claim_at, earlier_unknown: None },
        now,
    )))
}

/// What a new claim takes over from what stood before it.
struct Claimed {
    revision: u32,
    fence: Fence,
    first_claim_at: Timestamp,
    earlier_unknown: Option<Timestamp>,
}

fn in_progress(claim: &Claim, from: Claimed, now: Timestamp) -> Record {
    Record {
        version: Version { attempt: claim.attempt, revision: from.revision.wrapping_add(1) },
        fence: from.fence,
        first_claim_at: from.first_claim_at,
        claimed_at: now,
        recipe: claim.recipe,
        fingerprint: claim.fingerprint,
        owner: claim.owner,
        route: claim.route.clone(),
        policy: claim.policy.clone(),
        earlier_unknown: from.earlier_unknown,
        parameters: claim.parameters.clone(),
        state: State::InProgress { lease_until: now.plus(claim.policy.lease) },
    }
}

impl From<UnknownCause> for Unknown {
    fn from(cause: UnknownCause) -> Self {
        Self { cause, seen_status: None, listening: Duration::ZERO }
    }
}

impl Record {
    fn is_of(&self, attempt: AttemptId) -> bool {
        self.version.attempt == attempt
    }

    fn differs(&self, claim: &Claim) -> bool {
        self.fingerprint != claim.fingerprint
    }

    /// Both the policy of the claim whose outcome is unknown and that of the new one must promise deduplication.
    fn may_rerun(&self, claim: &Claim, settle_from: Timestamp, now: Timestamp) -> bool {
        let promised =
            self.policy.on_unknown == OnUnknown::Rerun && claim.policy.on_unknown == OnUnknown::Rerun;
        let over = self.policy.settle_after.is_some_and(|wait| settle_from.plus(wait) <= now);
        promised && over && !self.is_of(claim.attempt)
    }

    /// Applies `then` if attempt and fence are those that hold the record, whatever the clock says.
    fn held(&self, holder: &Holder, then: impl FnOnce(&Self) -> Decision) -> Decision {
        if self.is_of(holder.attempt) && self.fence == holder.fence {
            then(self)
        } else {
            Decision::Refuse(Refusal::Superseded)
        }
    }

    fn reclaimed(&self, claim: &Claim, earlier_unknown: Option<Timestamp>, now: Timestamp) -> Decision {
        let from = Claimed {
            revision: self.version.revision,
            fence: self.fence.next(),
            first_claim_at: self.first_claim_at,
            earlier_unknown,
        };
        Decision::Write(Box::new(in_progress(claim, from, now)))
    }

    fn renewed(&self, now: Timestamp) -> Decision {
        self.becomes(State::InProgress { lease_until: now.plus(self.policy.lease) })
    }

    fn completed(&self, what: Completion, now: Timestamp) -> Decision {
        match what {
            Completion::Kept { status } => self.kept(status, Source::Attempt, now),
            Completion::TooLarge { status } => self.becomes(State::Tombstone {
                at: now,
                status: Some(status),
                cause: TombstoneCause::TooLarge,
                key_until: now.plus(self.policy.retain_key),
            }),
        }
    }

    fn kept(&self, status: u16, by: Source, now: Timestamp) -> Decision {
        let result_until = now.plus(self.policy.retain_result);
        let key_until = now.plus(self.policy.retain_key).max(result_until);
        self.becomes(State::Completed { at: now, status, by, result_until, key_until })
    }

    /// A re-run never frees the key: the outcome of the attempt before it is still unknown.
    fn released(&self, cause: ReleaseCause, now: Timestamp) -> Decision {
        match self.earlier_unknown {
            None => {
                self.becomes(State::Released { at: now, until: now.plus(self.policy.keep_released()), cause })
            }
            Some(settle_from) => {
                let seen_status = match cause {
                    ReleaseCause::Answered(status) => Some(status),
                    _ => None,
                };
                let unknown = Unknown { seen_status, ..UnknownCause::RerunRefused.into() };
                self.unknown(unknown, settle_from, now)
            }
        }
    }

    /// The owner was not heard of: it may have sent until its lease ended.
    fn lapsed(&self, lease_until: Timestamp, now: Timestamp) -> Decision {
        self.unknown(UnknownCause::Lapsed.into(), lease_until, now)
    }

    fn unknown(&self, unknown: Unknown, settle_from: Timestamp, now: Timestamp) -> Decision {
        let Unknown { cause, seen_status, .. } = unknown;
        self.becomes(State::Unknown { since: now, settle_from, cause, seen_status })
    }

    fn settled(&self, settle: &Settle, settle_from: Timestamp, now: Timestamp) -> Decision {
        if settle.seen != (Seen { state: StateName::Unknown, fence: self.fence }) {
            return Decision::Refuse(Refusal::Moved);
        }
        match (settle.verdict, self.policy.settle_after.map(|wait| settle_from.plus(wait))) {
            (Verdict::Applied { status }, _) => self.kept(status, settle.by, now),
            (Verdict::NotApplied { forced: false }, None) => Decision::Refuse(Refusal::NoSettleAfter),
            (Verdict::NotApplied { forced: false }, Some(end)) if now < end => {
                Decision::Refuse(Refusal::TooEarly(end))
            }
            // To waive the wait takes a person with a reason.
            (Verdict::NotApplied { forced: true }, _) if settle.by != Source::Operator => {
                Decision::Refuse(Refusal::Unknown)
            }
            // Kept as long as any end is: where a record is missing before that, it was lost and not forgotten.
            (Verdict::NotApplied { .. }, _) => self.becomes(State::Released {
                at: now,
                until: now.plus(self.policy.keep_released().max(self.policy.retain_key)),
                cause: ReleaseCause::Settled(settle.by),
            }),
        }
    }

    /// A bare tombstone: neither status nor parameters, only what is needed to refuse repeats.
    fn forgotten(&self, seen: Seen, state: &State) -> Decision {
        if seen != (Seen { state: state.name(), fence: self.fence }) {
            return Decision::Refuse(Refusal::Moved);
        }
        let (State::Completed { at, key_until, .. } | State::Tombstone { at, key_until, .. }) = *state else {
            return Decision::Refuse(Refusal::NotOpen);
        };
        let forgotten = Self { parameters: bytes::Bytes::new(), ..self.clone() };
        forgotten.becomes(State::Tombstone { at, status: None, cause: TombstoneCause::Forgotten, key_until })
    }

    /// Whether `last` was claimed after this, in the same operation: then a store that shows this has lost that claim.
    fn came_before(&self, last: &Self) -> bool {
        self.first_claim_at == last.first_claim_at && self.fence < last.fence
    }

    /// This record is gone, or what stands there has expired. If it could have come to its own end since and have been
    /// forgotten after that, it has; before, only its loss explains it.
    fn restored(&self, expired: Option<&Self>, now: Timestamp) -> Decision {
        let forgotten_from = self.last_written().plus(self.policy.lease.max(self.policy.retain_key));
        if !self.is_open()
            || now >= forgotten_from
            || expired.is_some_and(|old| old.is_of(self.version.attempt))
        {
            return Decision::Refuse(Refusal::Absent);
        }
        self.written_after(expired.map_or(0, |old| old.version.revision), now)
    }

    /// When an open record was written, as far as its state tells.
    fn last_written(&self) -> Timestamp {
        match self.state {
            State::InProgress { lease_until } => lease_until.minus(self.policy.lease),
            State::Unknown { since, .. } => since,
            State::Released { .. } | State::Completed { .. } | State::Tombstone { .. } => self.claimed_at,
        }
    }

    /// The same record over one that has this revision.
    fn written_after(&self, revision: u32, now: Timestamp) -> Decision {
        let revision = self.version.revision.max(revision);
        let version = Version { revision, ..self.version };
        let state = match &self.state {
            State::InProgress { .. } => State::InProgress { lease_until: now.plus(self.policy.lease) },
            // Whoever held it knows by now what became of it, and listens no more. What he had read was moved along by his clock.
            State::Unknown { cause, seen_status, .. } => {
                State::Unknown { since: now, settle_from: now, cause: *cause, seen_status: *seen_status }
            }
            as_it_was => as_it_was.clone(),
        };
        Self { version, ..self.clone() }.becomes(state)
    }

    /// The same operation in another state, one revision on.
    fn becomes(&self, state: State) -> Decision {
        let version = Version { revision: self.version.revision.wrapping_add(1), ..self.version };
        Decision::Write(Box::new(Self { version, state, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests;
