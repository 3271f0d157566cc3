//! The chart as text: `state`, `event`, and in the last column the decision.
//!
//! `-> state` is what is written (times in seconds from now), `= already` a repeat, `! reason` a refusal. Every pair
//! has exactly one row. What no row shows is checked of every write: [`keeps_what_no_event_changes`].

use std::collections::BTreeMap;

use super::fixtures::{NOW, Scene, at, events, scenes};
use crate::{
    Decision, Event, Record, Refusal, State, Timestamp, decide,
    event::{Seen, Settle, Verdict},
    record::{ReleaseCause, Source, StateName},
};

const TABLES: [(&str, &str); 5] = [
    ("absent.txt", include_str!("absent.txt")),
    ("in_progress.txt", include_str!("in_progress.txt")),
    ("unknown.txt", include_str!("unknown.txt")),
    ("released.txt", include_str!("released.txt")),
    ("ended.txt", include_str!("ended.txt")),
];

/// (state, event) to (where the row stands, decision).
type Rows = BTreeMap<(String, String), (String, String)>;

#[test]
fn every_pair_of_state_and_event_has_one_row_and_it_holds() {
    let mut rows = read();
    let mut faults = Vec::new();
    for (state, scene) in scenes() {
        for (name, event) in events(&scene) {
            let decision = decide(scene.record.as_ref(), &event, NOW);
            let decided = in_words(scene.record.as_ref(), &decision);
            match rows.remove(&(state.to_owned(), name.to_owned())) {
                None => faults.push(format!("[{state}] has no row `{name}`; decided was `{decided}`")),
                Some((_, expected)) if expected == decided => {}
                Some((place, expected)) => {
                    faults.push(format!(
                        "{place} [{state}] {name}: `{expected}` expected, `{decided}` decided"
                    ));
                }
            }
        }
    }
    faults.extend(rows.into_iter().map(|((state, event), (place, _))| {
        format!("{place} [{state}] {event}: there is no such state or event")
    }));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_write_keeps_what_its_event_does_not_change() {
    for (state, scene) in scenes() {
        for (name, event) in events(&scene) {
            if let Decision::Write(record) = decide(scene.record.as_ref(), &event, NOW) {
                keeps_what_no_event_changes(&scene, &event, &record, &format!("[{state}] {name}"));
            }
        }
    }
}

fn keeps_what_no_event_changes(scene: &Scene, event: &Event, written: &Record, at: &str) {
    if let Event::Vanished(last) = event {
        let revision = scene.record.as_ref().map_or(0, |before| before.version.revision);
        assert_eq!(written.version.attempt, last.version.attempt, "{at}");
        assert_eq!(written.version.revision, last.version.revision.max(revision) + 1, "{at}: above both");
        let same = Record { version: written.version, state: written.state.clone(), ..(**last).clone() };
        assert_eq!(*written, same, "{at}: it is the record that was lost");
        if let State::Unknown { since, settle_from, .. } = written.state {
            assert_eq!((since, settle_from), (NOW, NOW), "{at}: by the clock of whoever writes it, both");
        }
        return;
    }
    let Some(before) = &scene.record else {
        assert_eq!(written.version.revision, 1, "{at}: a record's first revision is 1");
        return;
    };
    assert_eq!(written.version.revision, before.version.revision + 1, "{at}: one revision on");
    match event {
        Event::Claim(claim) => {
            assert_eq!(written.version.attempt, claim.attempt, "{at}");
            assert_eq!(written.fingerprint, claim.fingerprint, "{at}");
            assert_eq!((&written.route, &written.policy), (&claim.route, &claim.policy), "{at}");
            assert_eq!(written.parameters, claim.parameters, "{at}");
            assert_eq!(written.claimed_at, NOW, "{at}");
        }
        Event::Forget(_) => {
            assert!(written.parameters.is_empty(), "{at}: a bare tombstone has no parameters");
            assert_eq!(written.fingerprint, before.fingerprint, "{at}: it still refuses another body");
        }
        _ => {
            let same = Record { version: written.version, state: written.state.clone(), ..before.clone() };
            assert_eq!(*written, same, "{at}: only version and state change");
            assert_eq!(written.version.attempt, before.version.attempt, "{at}");
        }
    }
}

/// An attempt that still held its connection wrote the rest of its body after *not applied* had been settled, and the
/// effect happened twice.
#[test]
fn not_applied_waits_until_nobody_listens_and_settle_after_is_over() {
    let (_, scene) = scenes().into_iter().find(|(name, _)| *name == "in progress").unwrap();
    let lose = events(&scene).into_iter().find(|(name, _)| *name == "lose track, listening").unwrap().1;
    let Decision::Write(lost) = decide(scene.record.as_ref(), &lose, NOW) else {
        panic!("the attempt holds the record");
    };
    let settle = Event::Settle(Settle {
        by: Source::Operator,
        seen: Seen { state: StateName::Unknown, fence: lost.fence },
        verdict: Verdict::NotApplied { forced: false },
    });
    let over = at(10 + 30);
    let before = Timestamp::from_ms(over.as_ms() - 1);
    assert_eq!(decide(Some(&lost), &settle, before), Decision::Refuse(Refusal::TooEarly(over)));
    assert!(matches!(decide(Some(&lost), &settle, over), Decision::Write(_)));
}

#[test]
fn two_operations_of_one_key_never_share_a_reference_even_within_a_millisecond() {
    let (_, scene) = scenes().into_iter().find(|(name, _)| *name == "completed, row expired").unwrap();
    let mut expired = scene.record.unwrap();
    expired.first_claim_at = NOW;
    let claim =
        super::fixtures::claim(super::fixtures::attempt(9), expired.fingerprint, expired.policy.on_unknown);
    let Decision::Write(record) = decide(Some(&expired), &Event::Claim(claim), NOW) else {
        panic!("an expired key is free");
    };
    assert_eq!(record.first_claim_at, Timestamp::from_ms(NOW.as_ms() + 1));
}

fn read() -> Rows {
    let mut rows = Rows::new();
    for (file, text) in TABLES {
        let mut state = "";
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{file}:{number}");
            if let Some(name) = line.strip_prefix('[') {
                state = name.strip_suffix(']').unwrap();
            } else if !line.is_empty() && !line.starts_with('#') {
                let (event, decision) =
                    line.split_once("  ").unwrap_or_else(|| panic!("{place}: two columns"));
                let row = (place.clone(), decision.trim().to_owned());
                let twice = rows.insert((state.to_owned(), event.to_owned()), row);
                assert!(twice.is_none(), "{place}: [{state}] has a second row `{event}`");
            }
        }
    }
    rows
}

fn in_words(before: Option<&Record>, decision: &Decision) -> String {
    match decision {
        Decision::Write(record) => format!("-> {}", record_in_words(before, record)),
        Decision::Already => "= already".to_owned(),
        Decision::Refuse(refusal) => format!("! {}", refusal_in_words(*refusal)),
    }
}

fn record_in_words(before: Option<&Record>, record: &Record) -> String {
    let mut words = format!("{} f{}", record.state.name().as_str(), record.fence);
    words += &match &record.state {
        State::InProgress { lease_until } => format!(" until {}", time(*lease_until)),
        State::Unknown { settle_from, cause, seen_status, .. } => {
            let status = seen_status.map(|status| format!(" {status}")).unwrap_or_default();
            format!(" {}{status}, from {}", cause.as_str(), time(*settle_from))
        }
        State::Released { until, cause, .. } => format!(" {}, until {}", release_cause(*cause), time(*until)),
        State::Completed { status, by, result_until, key_until, .. } => {
            format!(" {status} by {}, result {}, key {}", by.as_str(), time(*result_until), time(*key_until))
        }
        State::Tombstone { status, cause, key_until, .. } => {
            let status = status.map(|status| format!(" {status}")).unwrap_or_default();
            format!("{status} {}, key {}", cause.as_str(), time(*key_until))
        }
    };
    if let Some(from) = record.earlier_unknown.filter(|_| record.is_open()) {
        words += &format!(", earlier unknown from {}", time(from));
    }
    if before.is_none_or(|before| before.first_claim_at != record.first_claim_at) {
        words += ", new operation";
    }
    words
}

/// Seconds from now.
fn time(time: Timestamp) -> String {
    let ms = i64::try_from(time.as_ms()).unwrap() - i64::try_from(NOW.as_ms()).unwrap();
    format!("{:+}", ms / 1000)
}

fn refusal_in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Mismatch => "mismatch".to_owned(),
        Refusal::InProgress => "in-progress".to_owned(),
        Refusal::Lapsed => "lapsed".to_owned(),
        Refusal::Unknown => "unknown".to_owned(),
        Refusal::Completed => "completed".to_owned(),
        Refusal::Gone(cause) => format!("gone, {}", cause.as_str()),
        Refusal::Absent => "absent".to_owned(),
        Refusal::Superseded => "superseded".to_owned(),
        Refusal::SettledOtherwise => "settled-otherwise".to_owned(),
        Refusal::LeaseHolds => "lease-holds".to_owned(),
        Refusal::NotOpen => "not-open".to_owned(),
        Refusal::Open => "open".to_owned(),
        Refusal::Moved => "moved".to_owned(),
        Refusal::TooEarly(until) => format!("too-early until {}", time(until)),
        Refusal::NoSettleAfter => "no-settle-after".to_owned(),
    }
}

fn release_cause(cause: ReleaseCause) -> String {
    match cause {
        ReleaseCause::Answered(status) => format!("answered {status}"),
        _ => cause.as_str().to_owned(),
    }
}
