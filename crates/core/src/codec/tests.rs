//! Format 1: what is written reads back, what is damaged does not, and none of it changes silently.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

const FORMAT_1: &str = include_str!("tests/format_1.txt");

/// A failure here means that records in somebody's ledger can no longer be read: that is a new format, not a new
/// expectation.
#[test]
fn format_1_never_changes() {
    let written = FORMAT_1.split("\n[").skip(1).map(|section| {
        let (name, lines) = section.split_once(']').unwrap();
        (name, lines.lines().filter_map(|line| line.split(' ').next()).collect::<String>())
    });
    let written: Vec<_> = written.collect();
    assert_eq!(written.len(), golden().len());
    for ((name, hex), record) in written.into_iter().zip(golden()) {
        assert_eq!(to_hex(&encode(&record)), hex, "{name} is written otherwise");
        assert_eq!(decode(&from_hex(&hex)), Ok(record), "{name} is read otherwise");
    }
}

/// The matches have no `_`: who adds a value has to give it a place.
#[test]
fn every_value_keeps_its_place() {
    for (place, cause) in UnknownCause::ALL.into_iter().enumerate() {
        let expected = match cause {
            UnknownCause::AnswerLost => 0,
            UnknownCause::Deadline => 1,
            UnknownCause::Lapsed => 2,
            UnknownCause::ProcessGone => 3,
            UnknownCause::Answered => 4,
            UnknownCause::Handler => 5,
            UnknownCause::Drained => 6,
            UnknownCause::RerunRefused => 7,
        };
        assert_eq!(place, expected, "{cause:?}");
    }
    for (place, source) in Source::ALL.into_iter().enumerate() {
        let expected = match source {
            Source::Attempt => 0,
            Source::Probe => 1,
            Source::Operator => 2,
        };
        assert_eq!(place, expected, "{source:?}");
    }
    for (place, cause) in TombstoneCause::ALL.into_iter().enumerate() {
        let expected = match cause {
            TombstoneCause::TooLarge => 0,
            TombstoneCause::Expired => 1,
            TombstoneCause::Forgotten => 2,
        };
        assert_eq!(place, expected, "{cause:?}");
    }
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let [record, ..] = golden();
    let mut bytes = encode(&record).to_vec();
    for (format, unreadable) in
        [(0, Unreadable::Damaged), (2, Unreadable::Newer(2)), (255, Unreadable::Newer(255))]
    {
        bytes[0] = format;
        assert_eq!(decode(&bytes), Err(unreadable));
        assert_eq!(peek(&bytes), Err(unreadable));
    }
}

#[test]
fn a_recipe_or_code_of_tomorrow_is_refused_although_the_checksum_is_right() {
    let [record, ..] = golden();
    let bytes = encode(&record);
    let body = &bytes[..bytes.len() - CHECKSUM_LEN];
    let recipe = 30 + 4 + 8 + 8;
    let state = body.len() - 9;
    for (at, unreadable) in [(recipe, Unreadable::NewerRecipe(99)), (state, Unreadable::Damaged)] {
        let mut changed = Writer::with_capacity(body.len());
        changed.raw(&body[..at]);
        changed.u8(99);
        changed.raw(&body[at + 1..]);
        assert_eq!(decode(&changed.finish(CHECKSUM_LEN)), Err(unreadable), "byte {at}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(record in records()) {
        prop_assert_eq!(decode(&encode(&record)), Ok(record));
    }

    #[test]
    fn a_peek_agrees_with_the_record(record in records()) {
        let peek = peek(&encode(&record)[..PEEK_LEN]).unwrap();
        prop_assert_eq!(peek.version, record.version);
        prop_assert_eq!(peek.open, record.is_open());
        prop_assert_eq!(peek.expires_at, record.expires_at());
    }

    #[test]
    fn any_flipped_bit_is_unreadable(record in records(), at: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = encode(&record).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode(&bytes).is_err(), "bit {} of byte {}", bit, at);
    }

    #[test]
    fn what_is_cut_or_longer_is_unreadable(record in records(), at: prop::sample::Index, more in vec(any::<u8>(), 1..9)) {
        let bytes = encode(&record);
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
        prop_assert!(decode(&[&bytes[..], &more].concat()).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&bytes).is_err());
        let _ = peek(&bytes);
    }
}

fn golden() -> [Record; 5] {
    let time = Timestamp::from_ms;
    let base = Record {
        version: Version { attempt: AttemptId([0xa1; 16]), revision: 3 },
        fence: Fence(2),
        first_claim_at: time(0x1111),
        claimed_at: time(0x2222),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([0xf1; 32]),
        owner: Owner([0x01; 16]),
        route: "POST /transfers".to_owned(),
        policy: Policy { settle_after: Some(Duration::from_secs(120)), ..Policy::default() },
        earlier_unknown: None,
        parameters: Bytes::from_static(b"{}"),
        state: State::InProgress { lease_until: time(0x3333) },
    };
    let unknown = Record {
        earlier_unknown: Some(time(0x1234)),
        policy: Policy { on_unknown: OnUnknown::Rerun, ..Policy::default() },
        state: State::Unknown {
            since: time(0x4444),
            settle_from: time(0x3333),
            cause: UnknownCause::Lapsed,
            seen_status: Some(502),
        },
        ..base.clone()
    };
    let released = Record {
        state: State::Released {
            at: time(0x4444),
            until: time(0x5555),
            cause: ReleaseCause::Settled(Source::Operator),
        },
        ..base.clone()
    };
    let completed = Record {
        state: State::Completed {
            at: time(0x4444),
            status: 201,
            by: Source::Attempt,
            result_until: time(0x5555),
            key_until: time(0x6666),
        },
        ..base.clone()
    };
    let tombstone = Record {
        parameters: Bytes::new(),
        state: State::Tombstone {
            at: time(0x4444),
            status: None,
            cause: TombstoneCause::Forgotten,
            key_until: time(0x6666),
        },
        ..base.clone()
    };
    [base, unknown, released, completed, tombstone]
}

fn records() -> impl Strategy<Value = Record> {
    let names = (any::<[u8; 16]>(), any::<u32>(), any::<u32>(), any::<[u8; 32]>(), any::<[u8; 16]>());
    let times = (times(), times(), option::of(times()));
    let texts = (".{0,40}", vec(any::<u8>(), 0..100));
    (names, times, texts, policies(), states()).prop_map(|(names, times, texts, policy, state)| {
        let (attempt, revision, fence, fingerprint, owner) = names;
        let (first_claim_at, claimed_at, earlier_unknown) = times;
        let (route, parameters) = texts;
        Record {
            version: Version { attempt: AttemptId(attempt), revision },
            fence: Fence(fence),
            first_claim_at,
            claimed_at,
            recipe: Recipe::V1,
            fingerprint: Fingerprint(fingerprint),
            owner: Owner(owner),
            route,
            policy,
            earlier_unknown,
            parameters: parameters.into(),
            state,
        }
    })
}

/// Any time but the last: an expiry at the end of time means never.
fn times() -> impl Strategy<Value = Timestamp> {
    (0..u64::MAX).prop_map(Timestamp::from_ms)
}

fn policies() -> impl Strategy<Value = Policy> {
    let time = || any::<u64>().prop_map(Duration::from_millis);
    (
        time(),
        time(),
        option::of(time()),
        time(),
        time(),
        select(vec![OnUnknown::Hold, OnUnknown::Probe, OnUnknown::Rerun]),
    )
        .prop_map(|(lease, deadline, settle_after, retain_result, retain_key, on_unknown)| Policy {
            lease,
            deadline,
            settle_after,
            retain_result,
            retain_key,
            on_unknown,
        })
}

fn states() -> impl Strategy<Value = State> {
    let status = any::<u16>();
    let sources = || select(Source::ALL.to_vec());
    let causes = prop_oneof![
        Just(ReleaseCause::NotStarted),
        Just(ReleaseCause::NotSent),
        Just(ReleaseCause::Handler),
        status.prop_map(ReleaseCause::Answered),
        sources().prop_map(ReleaseCause::Settled),
    ];
    prop_oneof![
        times().prop_map(|lease_until| State::InProgress { lease_until }),
        (times(), times(), select(UnknownCause::ALL.to_vec()), option::of(status)).prop_map(
            |(since, settle_from, cause, seen_status)| State::Unknown {
                since,
                settle_from,
                cause,
                seen_status
            }
        ),
        (times(), times(), causes).prop_map(|(at, until, cause)| State::Released { at, until, cause }),
        (times(), status, sources(), times(), times()).prop_map(
            |(at, status, by, result_until, key_until)| {
                State::Completed { at, status, by, result_until, key_until }
            }
        ),
        (times(), option::of(status), select(TombstoneCause::ALL.to_vec()), times())
            .prop_map(|(at, status, cause, key_until)| State::Tombstone { at, status, cause, key_until }),
    ]
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
