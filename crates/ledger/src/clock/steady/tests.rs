//! What a record says after the clock by which it was written has been set.

use onlyonce_core::{
    AttemptId, Fence, Fingerprint, Owner, Policy, Version, fingerprint::Recipe, record::UnknownCause,
};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// When the clock was set, by itself; before, it said ten minutes less.
fn set() -> Timestamp {
    Timestamp::from_ms(1_795_608_000_000)
}

fn steady() -> Steady {
    Steady { since: set(), ahead: MINUTE * 10 }
}

fn record(state: State) -> Record {
    Record {
        version: Version { attempt: AttemptId([1; 16]), revision: 1 },
        fence: Fence::FIRST,
        first_claim_at: Timestamp::default(),
        claimed_at: Timestamp::default(),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        route: "POST /a".to_owned(),
        policy: Policy { lease: MINUTE, ..Policy::default() },
        earlier_unknown: None,
        parameters: bytes::Bytes::new(),
        state,
    }
}

fn lease_until(lease_until: Timestamp) -> Timestamp {
    match steady().seen(record(State::InProgress { lease_until })).state {
        State::InProgress { lease_until } => lease_until,
        other => panic!("it is in progress, and not {other:?}"),
    }
}

fn settle_from(since: Timestamp, settle_from: Timestamp) -> Timestamp {
    let cause = UnknownCause::Lapsed;
    match steady().seen(record(State::Unknown { since, settle_from, cause, seen_status: None })).state {
        State::Unknown { settle_from, since: unchanged, .. } if unchanged == since => settle_from,
        other => panic!("it is unknown since the same moment, and not {other:?}"),
    }
}

/// With the clock every lease of the ledger lapsed at once, while their owners went on.
#[test]
fn a_lease_that_was_granted_before_holds_for_a_whole_lease_after() {
    let granted_right_before = set().minus(MINUTE * 10).plus(MINUTE);
    let end = lease_until(granted_right_before);
    assert!(end >= set().plus(MINUTE));
    assert_eq!(end, set().plus(MINUTE + UNHEARD));
    assert_eq!(lease_until(end), end, "and for no more, read twice");
    let granted_after = set().plus(MINUTE * 2);
    assert_eq!(lease_until(granted_after), granted_after);
}

#[test]
fn settle_after_counts_only_time_that_has_passed() {
    let before = set().minus(MINUTE);
    assert_eq!(settle_from(before, before.plus(MINUTE)), before.plus(MINUTE * 11));
    let after = set().plus(MINUTE);
    assert_eq!(settle_from(after, after), after);
}

/// Whoever was started after the clock had been set did not know by how much, and took so much of `settle_after` for passed.
#[test]
fn whoever_was_not_there_counts_settle_after_from_when_he_came() {
    let come = Steady { since: set(), ahead: Duration::ZERO };
    let seen = |since: Timestamp, listened: Duration| {
        let (settle_from, cause) = (since.plus(listened), UnknownCause::Lapsed);
        match come.seen(record(State::Unknown { since, settle_from, cause, seen_status: None })).state {
            State::Unknown { settle_from, .. } => settle_from,
            other => panic!("it is unknown, and not {other:?}"),
        }
    };
    assert_eq!(seen(set().minus(MINUTE * 11), Duration::ZERO), set());
    assert_eq!(seen(set().minus(MINUTE * 11), MINUTE), set().plus(MINUTE), "also how long somebody listens");
    assert_eq!(seen(set().plus(MINUTE), MINUTE), set().plus(MINUTE * 2));
}

#[test]
fn a_clock_that_was_never_set_changes_nothing() {
    for state in [
        State::InProgress { lease_until: Timestamp::from_ms(1) },
        State::Unknown {
            since: Timestamp::default(),
            settle_from: Timestamp::default(),
            cause: UnknownCause::Lapsed,
            seen_status: None,
        },
    ] {
        assert_eq!(Steady::default().seen(record(state.clone())).state, state);
    }
}
