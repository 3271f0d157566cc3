//! C16: a fail-over or a restore loses records whose attempts run. Each knows what it holds, and writes it anew.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::{
    Refusal,
    event::{Seen, Verdict},
    record::{ReleaseCause, Source, StateName},
};
use onlyonce_ledger::{attempt::Unrecorded, audit::Author, operator::Settlement};

use crate::{
    begun::{
        Begun, CREATED, LOST, begin, begin_two, passes, refused, replayed, request, rerunnable, result,
        settled,
    },
    faulty::{Fault, Write},
};

fn lose(begun: &Begun, key: u8) {
    begun.store.plant(request(key).id, None);
}

async fn written_anew(begun: &Begun) -> Vec<String> {
    begun.audit().await.into_iter().filter(|entry| entry.starts_with("lost record written anew")).collect()
}

/// The effect has happened, and its repeat ran again because the ledger had forgotten the claim.
#[tokio::test(start_paused = true)]
async fn a_completion_that_finds_nothing_writes_its_record_anew() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    let reference = one.reference(&request(1)).await;
    lose(&one, 1);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
    assert_eq!(two.reference(&request(1)).await, reference, "it is the same operation");
    assert_eq!(written_anew(&one).await, ["lost record written anew: absent -> in-progress, fence 1"]);
    assert_eq!(one.ledger.late_outcomes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_cannot_say_what_became_of_it_says_so_where_nothing_stands() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    lose(&begun, 1);
    attempt.lose_track(LOST).await.unwrap();
    assert_eq!(begun.state(&request(1)).await, "unknown, fence 1");
    // Lost once more, and known after all.
    lose(&begun, 1);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");

    let _running = begun.run(&request(2)).await;
    lose(&begun, 2);
    begun.ledger.give_up_attempts().await;
    assert_eq!(begun.state(&request(2)).await, "unknown, fence 1", "when the process stops, too");
    assert_eq!(written_anew(&begun).await.len(), 3);
}

/// So that fences go on, and a re-run frees no key.
#[tokio::test(start_paused = true)]
async fn a_release_that_finds_nothing_releases_what_was_lost() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    lose(&begun, 1);
    begun.store.fail(Write::Release, Fault::ReplyLost, 1);
    attempt.release(ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");

    begun.run(&rerunnable(2)).await.lose_track(LOST).await.unwrap();
    begun.store.advance(Duration::from_secs(121));
    let rerun = begun.run(&rerunnable(2)).await;
    lose(&begun, 2);
    rerun.release(ReleaseCause::Answered(409), None).await.unwrap();
    assert_eq!(begun.state(&request(2)).await, "unknown, fence 2", "a re-run never frees the key");
}

/// The claim of a key that had been released before: the replica that took over knows only the release.
#[tokio::test(start_paused = true)]
async fn a_claim_that_the_store_has_lost_stands_above_the_release_before_it() {
    let begun = begin().await;
    begun.run(&request(1)).await.release(ReleaseCause::Answered(503), None).await.unwrap();
    let released = begun.store.row(request(1).id).await;
    let attempt = begun.run(&request(1)).await;
    begun.store.plant(request(1).id, released);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
    assert_eq!(
        written_anew(&begun).await,
        ["lost record written anew: released, fence 1 -> in-progress, fence 2"]
    );
}

/// Nobody can undo that both run. But the record is the second one's, and people are told of the first.
#[tokio::test(start_paused = true)]
async fn who_has_claimed_what_was_lost_keeps_it_and_people_are_told() {
    let (one, two) = begin_two().await;
    let first = one.run(&request(1)).await;
    lose(&one, 1);
    // A time of first claim of its own.
    one.store.advance(Duration::from_millis(10));
    let second = two.run(&request(1)).await;
    let refusal = first.complete(CREATED, result("paid once")).await.unwrap_err();
    assert!(matches!(refusal, Unrecorded::Refused(Refusal::Superseded)), "{refusal:?}");
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::InProgress);
    second.complete(CREATED, result("paid twice")).await.unwrap();
    assert_eq!(replayed(&one.standing(&request(1)).await), b"paid twice");
    assert_eq!((one.ledger.late_outcomes(), written_anew(&one).await.len()), (1, 0));
}

/// After the retention of a key its record may have come to its end and been forgotten: absence proves nothing then.
#[tokio::test(start_paused = true)]
async fn what_may_have_been_forgotten_in_due_course_is_not_written_anew() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    lose(&begun, 1);
    begun.store.advance(request(1).policy.retain_key);
    let refusal = attempt.complete(CREATED, result("paid")).await.unwrap_err();
    assert!(matches!(refusal, Unrecorded::Refused(Refusal::Absent)), "{refusal:?}");
    assert_eq!((begun.state(&request(1)).await.as_str(), begun.ledger.late_outcomes()), ("absent", 1));
    assert_eq!(begun.audit().await, ["late outcome refused: absent -> absent"]);
}

/// It was stopped before its first byte, lapsed, was settled as not applied, which was true, and its row was forgotten. When it
/// woke up and found none, it wrote its record anew, and sent.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_has_not_started_gets_no_record_back_that_is_gone() {
    let (one, _two) = begin_two().await;
    let lease = request(1).policy.lease;
    // As long as its process stood still.
    one.store.lag_by(lease);
    let asleep = one.claim(&request(1)).await;
    one.store.lag_by(Duration::ZERO);
    lose(&one, 1);
    asleep.start().await.unwrap_err();
    assert_eq!(one.state(&request(1)).await, "absent");
    let refusal = asleep.release(ReleaseCause::NotSent, None).await.unwrap_err();
    assert!(matches!(refusal, Unrecorded::Refused(Refusal::Absent)), "{refusal:?}");
    assert_eq!(one.state(&request(1)).await, "absent", "also at its end");
    for key in [2, 3] {
        let attempt = one.claim(&request(key)).await;
        lose(&one, key);
        match key {
            2 => drop(attempt),
            _ => one.ledger.give_up_attempts().await,
        }
        settled().await;
        assert_eq!(one.state(&request(key)).await, "absent");
    }
    assert_eq!(written_anew(&one).await, [""; 0]);
}

/// It sends nothing either, and what it holds says that somebody did.
#[tokio::test(start_paused = true)]
async fn a_re_run_that_never_started_leaves_what_was_unknown_before_it() {
    let begun = begin().await;
    begun.run(&rerunnable(1)).await.lose_track(LOST).await.unwrap();
    begun.store.advance(Duration::from_secs(121));
    let rerun = begun.claim(&rerunnable(1)).await;
    lose(&begun, 1);
    rerun.release(ReleaseCause::NotStarted, None).await.unwrap();
    assert_eq!(begun.state(&request(1)).await, "unknown, fence 2");
}

/// Who came too late learned nothing, and was taken for somebody whose record was lost.
#[tokio::test(start_paused = true)]
async fn what_was_settled_as_not_applied_is_kept_for_as_long_as_its_attempt_might_answer() {
    let (one, two) = begin_two().await;
    let policy = request(1).policy;
    let attempt = one.run(&request(1)).await;
    one.store.advance(policy.lease * 2);
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
    one.store.advance(policy.settle_after.unwrap());
    let settlement = Settlement {
        by: Source::Operator,
        seen: Seen { state: StateName::Unknown, fence: attempt.fence() },
        verdict: Verdict::NotApplied { forced: false },
        result: Bytes::new(),
        author: Author::new("ana", "asked the bank").unwrap(),
    };
    two.ledger.settle(attempt.operation_ref(), settlement).await.unwrap().unwrap();
    // Longer than any other release is kept. Rounds of both sweep.
    one.store.advance(policy.keep_released() * 2);
    passes(Duration::from_secs(180)).await;
    assert_eq!(two.state(&request(1)).await, "released, fence 1");
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
    assert_eq!((one.ledger.late_outcomes(), written_anew(&one).await.len()), (1, 0));
}

/// Somebody emptied the database while an attempt ran, and began a new ledger there. The attempt wrote its record into that; before
/// there was a new one it kept people from beginning it, because there was a record.
#[tokio::test(start_paused = true)]
async fn a_ledger_that_was_emptied_is_not_filled_again_by_what_ran_on_it() {
    let (one, _two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    lose(&one, 1);
    let store = one.store.store();
    let elsewhere = begin().await.store.store();
    let (identity, other) = (store.identity().await.unwrap(), elsewhere.identity().await.unwrap().unwrap());
    assert!(store.set_identity(identity.as_deref(), other).await.unwrap());
    let refusal = attempt.complete(CREATED, result("paid")).await.unwrap_err();
    assert!(matches!(refusal, Unrecorded::Refused(Refusal::Absent)), "{refusal:?}");
    assert_eq!(one.store.row(request(1).id).await, None);
    assert_eq!(one.ledger.late_outcomes(), 1, "people are told");
    let refused = one.lead(&request(2)).await.claim().await.unwrap_err();
    assert_eq!(
        refused.detail(),
        "it is not the ledger that was opened",
        "known since then, and not at the next look"
    );
}

/// By the real clock, as in [`crate::leases`].
#[tokio::test]
async fn a_renewal_that_finds_nothing_writes_its_record_anew() {
    let (one, two) = begin_two().await;
    let policy = onlyonce_core::Policy { lease: Duration::from_millis(150), ..request(1).policy };
    let slow = onlyonce_ledger::begin::Request { policy, ..request(1) };
    let attempt = one.run(&slow).await;
    lose(&one, 1);
    // Written where nothing stands, it looks like a claim; the renewal comes after it.
    one.store.until_applied(Write::Claim, 2).await;
    one.store.until_applied(Write::Renew, 1).await;
    assert_eq!(refused(two.standing(&slow).await), Refusal::InProgress);
    attempt.complete(CREATED, Bytes::from_static(b"paid")).await.unwrap();
    settled().await;
    assert_eq!(replayed(&two.standing(&slow).await), b"paid");
}
