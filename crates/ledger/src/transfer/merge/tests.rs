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

#[test]
fn the_later_record_stays_and_in_doubt_the_one_that_stands() {
    use Is::{Completed, Expired, Released, Unknown};

    let over = |record: &Record| Merged::Over(record.version);
    for (what, standing, moved, expected) in [
        ("a higher fence stands", (1, 2, 4, Unknown), (2, 1, 9, Completed), None),
        ("also a released one", (1, 2, 4, Released), (2, 1, 9, Completed), None),
        ("a higher fence comes", (1, 1, 9, Completed), (2, 2, 4, Unknown), Some(true)),
        ("the same comes again", (1, 1, 3, Completed), (1, 1, 3, Completed), None),
        ("it has completed since it was copied", (1, 1, 2, Unknown), (1, 1, 2, Completed), Some(true)),
        ("it was settled since", (1, 1, 3, Unknown), (1, 1, 3, Released), Some(true)),
        ("it was completed, and then copied earlier", (1, 1, 2, Completed), (1, 1, 7, Unknown), None),
        ("a late completion after it was settled", (1, 1, 3, Released), (1, 1, 4, Completed), Some(true)),
        ("the settlement before the late completion", (1, 1, 4, Completed), (1, 1, 3, Released), None),
        ("both were used, and one has released", (1, 1, 2, Released), (2, 1, 2, Unknown), Some(true)),
        ("both were used, and the other has", (1, 1, 2, Unknown), (2, 1, 2, Released), None),
        ("both were used", (1, 1, 2, Completed), (2, 1, 2, Completed), Some(false)),
        ("what stands has expired", (1, 9, 9, Expired), (2, 1, 1, Unknown), Some(true)),
        ("what comes has expired", (1, 1, 1, Released), (2, 2, 1, Expired), None),
    ] {
        let of = |(attempt, fence, revision, is): (u8, u32, u32, Is)| record(attempt, fence, revision, is);
        let (standing, moved) = (of(standing), of(moved));
        let expected = match expected {
            None => Merged::Keep,
            Some(true) => over(&standing),
            Some(false) => Merged::Contradiction,
        };
        assert_eq!(judge(Some(&standing), Some(&moved), NOW), expected, "{what}");
    }
    let known = record(1, 1, 1, Completed);
    assert_eq!(judge(None, Some(&known), NOW), Merged::Keep, "what cannot be read is not written over");
    assert_eq!(judge(Some(&known), None, NOW), Merged::Keep, "and writes over nothing");
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
