//! Every row of the tables, and the order in which they are asked.

use super::*;

const RELEASED: [u16; 19] =
    [307, 308, 401, 403, 405, 406, 407, 408, 412, 413, 415, 417, 421, 425, 428, 429, 431, 521, 523];

fn answer(status: u16) -> Answer {
    Answer { status, retry_after: false, rerun: false, inner: None }
}

fn strict() -> Overrides {
    Overrides { frees: Frees::Strict, ..Overrides::default() }
}

fn all_say(outcome: Outcome) -> Overrides {
    Overrides { by_status: (0..1000).map(|status| (status, outcome)).collect(), frees: Frees::Http }
}

#[test]
fn every_status_of_the_contract_has_its_outcome() {
    let unknown =
        [460, 502, 503, 504, 520, 522, 524, 525, 526, 527, 528, 529, 530, 598, 599, 100, 101, 199, 600, 999];
    let kept = [
        200, 201, 202, 204, 206, 299, 300, 301, 302, 303, 304, 400, 402, 404, 409, 410, 411, 414, 416, 418,
        422, 423, 424, 426, 451, 499, 500, 501, 505, 507, 511, 519, 531, 597,
    ];
    for (statuses, outcome) in
        [(&RELEASED[..], Outcome::Released), (&unknown[..], Outcome::Unknown), (&kept[..], Outcome::Kept)]
    {
        for status in statuses {
            assert_eq!(of_answer(answer(*status), &Overrides::default()), outcome, "{status}");
        }
    }
    let patient = Answer { retry_after: true, ..answer(503) };
    assert_eq!(of_answer(patient, &Overrides::default()), Outcome::Released);
}

/// One line for each status that the table releases: what `strict` makes of it.
#[test]
fn strict_keeps_refusals_and_is_unknown_where_told_not_now() {
    for (status, outcome) in [
        (307, Outcome::Kept),
        (308, Outcome::Kept),
        (401, Outcome::Kept),
        (403, Outcome::Kept),
        (405, Outcome::Kept),
        (406, Outcome::Kept),
        (407, Outcome::Kept),
        (408, Outcome::Unknown),
        (412, Outcome::Kept),
        (413, Outcome::Kept),
        (415, Outcome::Kept),
        (417, Outcome::Kept),
        (421, Outcome::Kept),
        (425, Outcome::Unknown),
        (428, Outcome::Kept),
        (429, Outcome::Unknown),
        (431, Outcome::Kept),
        (503, Outcome::Unknown),
        (521, Outcome::Unknown),
        (523, Outcome::Unknown),
    ] {
        for retry_after in [false, true] {
            let answer = Answer { retry_after, ..answer(status) };
            assert_eq!(of_answer(answer, &strict()), outcome, "{status}");
        }
    }
}

#[test]
fn strict_frees_after_no_answer_and_changes_nothing_else() {
    for status in 0..1000 {
        for retry_after in [false, true] {
            let answer = Answer { retry_after, ..answer(status) };
            let (usual, strictly) = (of_answer(answer, &Overrides::default()), of_answer(answer, &strict()));
            assert_ne!(strictly, Outcome::Released, "{status}");
            assert!(usual == Outcome::Released || usual == strictly, "{status}");
            let not_done = Answer { inner: Some(Inner::NotDone), ..answer };
            assert_eq!(of_answer(not_done, &strict()), strictly, "{status}");
        }
    }
}

#[test]
fn what_a_route_says_of_a_status_beats_both_tables() {
    for outcome in [Outcome::Kept, Outcome::Released, Outcome::Unknown] {
        for frees in [Frees::Http, Frees::Strict] {
            let route = Overrides { frees, ..all_say(outcome) };
            for status in 0..1000 {
                assert_eq!(of_answer(answer(status), &route), outcome, "{status}");
                let inner = Answer { inner: Some(Inner::NotDone), ..answer(status) };
                assert_eq!(of_answer(inner, &route), outcome, "{status}");
            }
        }
    }
}

/// An override that freed the key of a re-run would let a third attempt run beside the first.
#[test]
fn a_re_run_that_is_told_not_now_stays_unknown_whatever_the_route_says() {
    for status in RERUN_PUT_OFF {
        let answer = Answer { rerun: true, retry_after: true, ..answer(*status) };
        for route in [Overrides::default(), strict(), all_say(Outcome::Released), all_say(Outcome::Kept)] {
            assert_eq!(of_answer(answer, &route), Outcome::Unknown, "{status}");
        }
    }
    let created = Answer { rerun: true, ..answer(201) };
    assert_eq!(of_answer(created, &Overrides::default()), Outcome::Kept);
}

/// Kept, a re-run's 403 would be replayed as the operation's outcome, though the first attempt may have acted.
#[test]
fn a_re_run_that_was_not_performed_is_never_kept_whatever_the_route_says() {
    let not_done = Answer { inner: Some(Inner::NotDone), ..answer(400) };
    let refusals =
        RELEASED.map(answer).into_iter().chain([Answer { retry_after: true, ..answer(503) }, not_done]);
    for refusal in refusals {
        let refusal = Answer { rerun: true, ..refusal };
        for route in [Overrides::default(), strict(), all_say(Outcome::Released), all_say(Outcome::Kept)] {
            assert_ne!(of_answer(refusal, &route), Outcome::Kept, "{refusal:?}");
        }
    }
    let forbidden = Answer { rerun: true, ..answer(403) };
    for route in [strict(), all_say(Outcome::Kept)] {
        assert_eq!(of_answer(forbidden, &route), Outcome::Unknown);
    }
}

#[test]
fn an_inner_layer_that_does_not_know_is_never_overruled_and_one_that_did_nothing_frees() {
    for status in [200, 409, 502, 503] {
        let unknown = Answer { inner: Some(Inner::Unknown), ..answer(status) };
        for route in [Overrides::default(), strict(), all_say(Outcome::Released), all_say(Outcome::Kept)] {
            assert_eq!(of_answer(unknown, &route), Outcome::Unknown, "{status}");
        }
        let not_done = Answer { inner: Some(Inner::NotDone), ..answer(status) };
        assert_eq!(of_answer(not_done, &Overrides::default()), Outcome::Released, "{status}");
    }
}
