//! The states and events of the table, by the names that stand there.
//!
//! All times are seconds from [`NOW`]. The record belongs to attempt 1 (attempt 2 where it is a re-run), its body is
//! [`BODY`].

use std::time::Duration;

use bytes::Bytes;

use crate::{
    AttemptId, Event, Fence, Fingerprint, Owner, Policy, Record, State, Timestamp, Version,
    event::{Claim, Completion, Holder, Seen, Settle, Unknown, Verdict},
    fingerprint::Recipe,
    policy::OnUnknown::{self, Hold, Probe as Probed, Rerun},
    record::{ReleaseCause, Source, StateName, TombstoneCause, UnknownCause},
};

pub(super) const NOW: Timestamp = Timestamp::from_ms(10_000_000);
pub(super) const BODY: Fingerprint = Fingerprint([1; 32]);
pub(super) const OTHER_BODY: Fingerprint = Fingerprint([2; 32]);

/// A state of the table: what stands, and what the claims that meet it promise.
pub(super) struct Scene {
    pub(super) record: Option<Record>,
    pub(super) promise: OnUnknown,
}

/// `seconds` from now.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms().checked_add_signed(seconds * 1000).unwrap())
}

pub(super) fn attempt(number: u8) -> AttemptId {
    AttemptId([number; 16])
}

/// Lease 60 s, result 1 000 s, key 5 000 s, `settle_after` 30 s.
pub(super) fn policy(on_unknown: OnUnknown) -> Policy {
    Policy {
        lease: Duration::from_secs(60),
        deadline: Duration::from_secs(90),
        settle_after: Some(Duration::from_secs(30)),
        retain_result: Duration::from_secs(1_000),
        retain_key: Duration::from_secs(5_000),
        on_unknown,
    }
}

fn first(state: State, on_unknown: OnUnknown) -> Record {
    Record {
        version: Version { attempt: attempt(1), revision: 7 },
        fence: Fence::FIRST,
        first_claim_at: at(-6_000),
        claimed_at: at(-6_000),
        recipe: Recipe::V1,
        fingerprint: BODY,
        owner: Owner([5; 16]),
        route: "POST /transfers".to_owned(),
        policy: policy(on_unknown),
        earlier_unknown: None,
        parameters: Bytes::from_static(b"sealed"),
        state,
    }
}

/// The second attempt, while the first one's outcome is unknown.
fn rerun(state: State) -> Record {
    Record {
        version: Version { attempt: attempt(2), revision: 9 },
        fence: Fence(2),
        claimed_at: at(-50),
        earlier_unknown: Some(at(-100)),
        ..first(state, Rerun)
    }
}

fn in_progress(lease_until: i64) -> State {
    State::InProgress { lease_until: at(lease_until) }
}

fn unknown(settle_from: i64) -> State {
    State::Unknown {
        since: at(-5),
        settle_from: at(settle_from),
        cause: UnknownCause::AnswerLost,
        seen_status: None,
    }
}

fn released(until: i64, cause: ReleaseCause) -> State {
    State::Released { at: at(-60), until: at(until), cause }
}

fn completed(by: Source, result_until: i64, key_until: i64) -> State {
    State::Completed {
        at: at(-10),
        status: 200,
        by,
        result_until: at(result_until),
        key_until: at(key_until),
    }
}

fn tombstone(cause: TombstoneCause, key_until: i64) -> State {
    State::Tombstone { at: at(-10), status: Some(200), cause, key_until: at(key_until) }
}

/// All states, in the order of a record's life.
pub(super) fn scenes() -> Vec<(&'static str, Scene)> {
    use ReleaseCause::{Answered, Settled};
    use Source::{Attempt, Operator, Probe};
    use TombstoneCause::{Forgotten, TooLarge};

    let held = |state| Scene { record: Some(first(state, Hold)), promise: Hold };
    let both = |record| Scene { record: Some(record), promise: Rerun };
    let silent =
        Record { policy: Policy { settle_after: None, ..policy(Rerun) }, ..first(unknown(-4_000), Rerun) };
    vec![
        ("absent", Scene { record: None, promise: Hold }),
        ("released, row expired", held(released(0, Answered(429)))),
        ("completed, row expired", held(completed(Attempt, -500, 0))),
        ("tombstone, row expired", held(tombstone(TooLarge, 0))),
        ("in progress", held(in_progress(50))),
        ("in progress, lease passed", held(in_progress(0))),
        ("re-run in progress", both(rerun(in_progress(50)))),
        ("re-run in progress, lease passed", both(rerun(in_progress(0)))),
        ("unknown, held", held(unknown(-10))),
        ("unknown, held, settle_after over", held(unknown(-30))),
        ("unknown, probed", Scene { record: Some(first(unknown(-10), Probed)), promise: Probed }),
        (
            "unknown, probed, settle_after over",
            Scene { record: Some(first(unknown(-30), Probed)), promise: Probed },
        ),
        ("unknown, rerun without settle_after", both(silent)),
        ("unknown, rerun, too early", both(first(unknown(-10), Rerun))),
        ("unknown, rerun, ripe", both(first(unknown(-30), Rerun))),
        (
            "unknown, rerun, ripe, promise withdrawn",
            Scene { record: Some(first(unknown(-30), Rerun)), promise: Hold },
        ),
        (
            "unknown, rerun, ripe, promise never made",
            Scene { record: Some(first(unknown(-30), Hold)), promise: Rerun },
        ),
        ("unknown after a re-run", both(rerun(unknown(-30)))),
        ("released by its attempt", held(released(50, Answered(429)))),
        ("released by settling", held(released(50, Settled(Operator)))),
        ("released by settling after a re-run", both(rerun(released(50, Settled(Probe))))),
        ("completed by its attempt", held(completed(Attempt, 990, 4_990))),
        ("completed by a probe", held(completed(Probe, 990, 4_990))),
        ("completed by an operator", held(completed(Operator, 990, 4_990))),
        ("completed, result expired", held(completed(Attempt, 0, 4_000))),
        ("too large", held(tombstone(TooLarge, 4_990))),
        ("forgotten", held(tombstone(Forgotten, 4_990))),
    ]
}

/// All events, as they meet `scene`.
pub(super) fn events(scene: &Scene) -> Vec<(&'static str, Event)> {
    let (mine, seen) = match &scene.record {
        Some(record) => (
            Holder { attempt: record.version.attempt, fence: record.fence },
            Seen {
                state: record.at(NOW).map_or(record.state.name(), |state| state.name()),
                fence: record.fence,
            },
        ),
        None => (
            Holder { attempt: attempt(1), fence: Fence::FIRST },
            Seen { state: StateName::Unknown, fence: Fence::FIRST },
        ),
    };
    let stranger = Holder { attempt: attempt(8), ..mine };
    let other_fence = Holder { fence: mine.fence.next(), ..mine };
    let moved_fence = Seen { fence: seen.fence.next(), ..seen };
    let moved_state = Seen {
        state: if seen.state == StateName::Unknown { StateName::InProgress } else { StateName::Unknown },
        ..seen
    };
    let claim = |attempt, fingerprint| Event::Claim(claim(attempt, fingerprint, scene.promise));
    let settle = |seen, verdict| Event::Settle(Settle { by: Source::Operator, seen, verdict });
    let probed = |seen, verdict| Event::Settle(Settle { by: Source::Probe, seen, verdict });
    let (applied, not_applied) = (Verdict::Applied { status: 201 }, |forced| Verdict::NotApplied { forced });
    let kept = Completion::Kept { status: 201 };
    let too_large = Completion::TooLarge { status: 201 };
    let deadline =
        Unknown { cause: UnknownCause::Deadline, seen_status: Some(502), listening: Duration::ZERO };
    let listening = Unknown { listening: Duration::from_secs(10), ..deadline };
    let last = |holder: Holder, state| {
        let first = first(state, scene.promise);
        let first_claim_at =
            scene.record.as_ref().map_or(first.first_claim_at, |record| record.first_claim_at);
        let version = Version { attempt: holder.attempt, revision: 4 };
        Box::new(Record { version, fence: holder.fence, first_claim_at, ..first })
    };
    let later = Holder { attempt: attempt(8), fence: mine.fence.next() };
    let other_operation = Record { first_claim_at: at(-5_500), ..*last(later, in_progress(20)) };
    let (sent, unsent) = (ReleaseCause::Answered(429), ReleaseCause::NotSent);
    vec![
        ("claim", claim(attempt(9), BODY)),
        ("claim, same attempt", claim(mine.attempt, BODY)),
        ("claim, other body", claim(attempt(9), OTHER_BODY)),
        ("renew", Event::Renew(mine)),
        ("renew, other attempt", Event::Renew(stranger)),
        ("renew, other fence", Event::Renew(other_fence)),
        ("complete", Event::Complete(mine, kept)),
        ("complete, too large", Event::Complete(mine, too_large)),
        ("complete, other attempt", Event::Complete(stranger, kept)),
        ("complete, other fence", Event::Complete(other_fence, kept)),
        ("release, sent", Event::Release(mine, sent)),
        ("release, unsent", Event::Release(mine, unsent)),
        ("release, other attempt", Event::Release(stranger, unsent)),
        ("release, other fence", Event::Release(other_fence, unsent)),
        ("lose track", Event::LoseTrack(mine, deadline)),
        ("lose track, listening", Event::LoseTrack(mine, listening)),
        ("lose track, other attempt", Event::LoseTrack(stranger, deadline)),
        ("lapse", Event::Lapse),
        ("process gone", Event::ProcessGone),
        ("settle applied", settle(seen, applied)),
        ("settle not applied", settle(seen, not_applied(false))),
        ("settle not applied, forced", settle(seen, not_applied(true))),
        ("settle, state moved", settle(moved_state, applied)),
        ("settle, fence moved", settle(moved_fence, applied)),
        ("probe applied", probed(seen, applied)),
        ("probe not applied", probed(seen, not_applied(false))),
        ("probe not applied, forced", probed(seen, not_applied(true))),
        ("probe, state moved", probed(moved_state, applied)),
        ("probe, fence moved", probed(moved_fence, not_applied(false))),
        ("forget", Event::Forget(seen)),
        ("forget, state moved", Event::Forget(moved_state)),
        ("forget, fence moved", Event::Forget(moved_fence)),
        ("vanished", Event::Vanished(last(later, in_progress(20)))),
        ("vanished, unknown", Event::Vanished(last(later, unknown(-10)))),
        ("vanished, long ago", Event::Vanished(last(later, in_progress(60 - 5_000)))),
        ("vanished, own attempt", Event::Vanished(last(mine, in_progress(20)))),
        ("vanished, same fence", Event::Vanished(last(stranger, in_progress(20)))),
        ("vanished, other operation", Event::Vanished(Box::new(other_operation))),
    ]
}

pub(super) fn claim(attempt: AttemptId, fingerprint: Fingerprint, promise: OnUnknown) -> Claim {
    Claim {
        attempt,
        recipe: Recipe::V1,
        fingerprint,
        owner: Owner([5; 16]),
        route: "POST /transfers".to_owned(),
        policy: policy(promise),
        parameters: Bytes::from_static(b"sealed anew"),
    }
}
