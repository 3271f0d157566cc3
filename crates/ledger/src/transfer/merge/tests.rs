//! Every pair of what stands and what comes.

use std::time::Duration;

use onlyonce_core::{
    AttemptId, Fence, Fingerprint, Owner, Policy, State,
    fingerprint::Recipe,
    record::{ReleaseCause, Source, UnknownCause},
};

use super::*;

const NOW: Timestamp = Timestamp::from_ms(10_000_000);

#[derive(Clone, Copy)]
enum Is {
    Unknown,
    Released,
    Completed,
    Expired,
}

fn record(attempt: u8, fence: u32, revision: u32, is: Is) -> Record {
    let later = NOW.plus(Duration::from_secs(60));
    let completed = |key_until| State::Completed {
        at: NOW,
        status: 201,
        by: Source::Attempt,
        result_until: key_until,
        key_until,
    };
    Record {
        version: Version { attempt: AttemptId([attempt; 16]), revision },
        fence: Fence(fence),
        first_claim_at: Timestamp::from_ms(1),
        claimed_at: Timestamp::from_ms(1),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        route: "POST /transfers".to_owned(),
        policy: Policy::default(),
        earlier_unknown: None,
        parameters: Bytes::new(),
        state: match is {
            Is::Unknown => State::Unknown {
                since: NOW,
                settle_from: NOW,
                cause: UnknownCause::ProcessGone,
                seen_status: None,
            },
            Is::Released => State::Released { at: NOW, until: later, cause: ReleaseCause::NotSent },
            Is::Completed => completed(later),
            Is::Expired => completed(NOW),
        },
    }
}

/// What is kept, or not, and whether people are told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Keeps,
    Over,
    KeepsAndTells,
    OverAndTells,
}

#[track_caller]
fn check(what: &str, standing: &Record, moved: &Record, expected: Then) {
    let Merged { over, contradiction } = judge(Some(standing), Some(moved), NOW);
    assert!(
        over.is_none_or(|version| version == standing.version),
        "{what}: it is what stands that is replaced"
    );
    let then = match (over, contradiction) {
        (None, false) => Then::Keeps,
        (Some(_), false) => Then::Over,
        (None, true) => Then::KeepsAndTells,
        (Some(_), true) => Then::OverAndTells,
    };
    assert_eq!(then, expected, "{what}");
}

#[test]
fn within_one_operation_the_later_record_stays_and_in_doubt_the_one_that_stands() {
    use Is::{Completed, Expired, Released, Unknown};
    use Then::{Keeps, KeepsAndTells, Over};

    for (what, standing, moved, expected) in [
        ("a higher fence stands", (1, 2, 4, Completed), (2, 1, 9, Unknown), Keeps),
        ("also a released one", (1, 2, 4, Released), (2, 1, 9, Unknown), Keeps),
        ("a higher fence comes", (1, 1, 9, Unknown), (2, 2, 4, Unknown), Over),
        ("after a released one", (1, 1, 9, Released), (2, 2, 4, Completed), Over),
        ("one is known, and a higher fence comes", (1, 1, 9, Completed), (2, 2, 4, Unknown), KeepsAndTells),
        ("also one that is known", (1, 1, 9, Completed), (2, 2, 4, Completed), KeepsAndTells),
        ("a higher fence stands, and one is known", (1, 2, 4, Unknown), (2, 1, 9, Completed), KeepsAndTells),
        ("a higher fence that did nothing comes", (1, 1, 9, Completed), (2, 2, 4, Released), Keeps),
        ("a higher fence that did nothing stands", (1, 2, 4, Released), (2, 1, 9, Completed), Over),
        ("the same comes again", (1, 1, 3, Completed), (1, 1, 3, Completed), Keeps),
        ("it has completed since it was copied", (1, 1, 2, Unknown), (1, 1, 2, Completed), Over),
        ("it was settled since", (1, 1, 3, Unknown), (1, 1, 3, Released), Over),
        ("it was completed, and then copied earlier", (1, 1, 2, Completed), (1, 1, 7, Unknown), Keeps),
        ("a late completion after it was settled", (1, 1, 3, Released), (1, 1, 4, Completed), Over),
        ("the settlement before the late completion", (1, 1, 4, Completed), (1, 1, 3, Released), Keeps),
        ("both were used, and one has released", (1, 1, 2, Released), (2, 1, 2, Unknown), Over),
        ("both were used, and the other has", (1, 1, 2, Unknown), (2, 1, 2, Released), Keeps),
        ("both were used", (1, 1, 2, Completed), (2, 1, 2, Completed), KeepsAndTells),
        ("what stands has expired", (1, 9, 9, Expired), (2, 1, 1, Unknown), Over),
        ("what comes has expired", (1, 1, 1, Released), (2, 2, 1, Expired), Keeps),
    ] {
        let of = |(attempt, fence, revision, is): (u8, u32, u32, Is)| record(attempt, fence, revision, is);
        check(what, &of(standing), &of(moved), expected);
    }
    let known = record(1, 1, 1, Completed);
    let kept = Merged { over: None, contradiction: false };
    assert_eq!(judge(None, Some(&known), NOW), kept, "what cannot be read is not written over");
    assert_eq!(judge(Some(&known), None, NOW), kept, "and writes over nothing");
}

/// A copy was imported over what its ledger had become since: an unknown of fence 2 replaced the completed operation that had
/// begun anew with fence 1, and could be settled so that the key was free.
#[test]
fn of_two_operations_the_later_one_stays_whatever_their_fences() {
    use Is::{Completed, Expired, Released, Unknown};
    use Then::{Keeps, KeepsAndTells, Over, OverAndTells};

    // In minutes; a released record is kept for one.
    let began = |minute: u64, fence, is| {
        let at = Timestamp::from_ms(NOW.as_ms() - 3_600_000 + minute * 60_000);
        Record { first_claim_at: at, claimed_at: at, ..record(u8::try_from(minute).unwrap(), fence, 3, is) }
    };
    let ended = |minute: u64| {
        let Record { state, .. } = record(1, 1, 1, Completed);
        let until = Timestamp::from_ms(NOW.as_ms() - 3_600_000 + minute * 60_000);
        let State::Completed { at, status, by, .. } = state else { panic!("it is completed") };
        State::Completed { at, status, by, result_until: until, key_until: until }
    };
    let known = |minute, until| Record { state: ended(until), ..began(minute, 9, Completed) };
    for (what, standing, moved, expected) in [
        (
            "a later one stands, and the copy's was open",
            began(5, 1, Completed),
            began(1, 2, Unknown),
            KeepsAndTells,
        ),
        (
            "a later one comes, and the trial's was open",
            began(1, 2, Unknown),
            began(5, 1, Completed),
            OverAndTells,
        ),
        ("a later one stands, and the copy's was free", began(5, 1, Unknown), began(1, 2, Released), Keeps),
        ("a later one comes, and the trial's was free", began(1, 2, Released), began(5, 1, Unknown), Over),
        ("a later one comes, and the other's time was over", known(1, 4), began(5, 1, Completed), Over),
        ("both were used: its time was not over", known(1, 90), began(5, 1, Completed), KeepsAndTells),
        ("both were used: nor that of the copy's", began(5, 1, Completed), known(1, 90), KeepsAndTells),
        ("the later one did nothing", began(5, 1, Released), began(1, 2, Unknown), Over),
        ("nor this one", began(1, 2, Unknown), began(5, 1, Released), Keeps),
        ("what stands has expired", began(1, 2, Expired), began(5, 1, Unknown), Over),
        ("what comes has expired", began(1, 2, Unknown), began(5, 1, Expired), Keeps),
        ("what stands is later, and has expired", began(5, 1, Expired), began(1, 2, Unknown), KeepsAndTells),
    ] {
        check(what, &standing, &moved, expected);
    }
    let soon = |record: Record| Record {
        first_claim_at: record.first_claim_at.plus(Duration::from_secs(59)),
        ..record
    };
    let (one, other) = (began(1, 2, Unknown), soon(began(1, 1, Completed)));
    check("too soon for one after the other", &one, &other, KeepsAndTells);
    check("too soon for one after the other", &other, &one, KeepsAndTells);
}

#[test]
fn a_damaged_row_can_be_stored_and_is_damaged_as_before() {
    let row = codec::encode(&record(1, 1, 1, Is::Completed));
    let mut damaged = row.to_vec();
    damaged[40] ^= 1;
    for row in [damaged.into(), row.slice(..20), Bytes::from_static(&[0; 64]), Bytes::new()] {
        let stored = storable(row);
        assert!(codec::peek(&stored).is_ok());
        assert_eq!(codec::decode(&stored), Err(codec::Unreadable::Damaged));
    }
    let stored = storable(Bytes::new());
    assert_eq!(codec::peek(&stored).unwrap().expires_at, None);
}
