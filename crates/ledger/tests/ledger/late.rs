//! Attempts of which nobody expects anything any more. Two processes on one store: what one of them does while it is
//! taken for dead must not hurt what the other has decided, and people are told.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{
    Refusal,
    event::{Completion, Seen, Verdict},
    record::{ReleaseCause, Source, StateName},
};
use onlyonce_ledger::{Options, attempt::Unrecorded, audit::Author, operator::Settlement};

use crate::{
    begun::{Begun, CREATED, LOST, begin, begin_two, begin_with, open, refused, replayed, request, result},
    faulty::{Fault, Gate, Write},
};

const LEASE: Duration = Duration::from_secs(61);

/// `two` finds that the lease has passed, and writes that.
async fn lapse(two: &Begun) {
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::InProgress);
    two.store.advance(LEASE);
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
}

async fn settle(begun: &Begun, verdict: Verdict) {
    let fence = begun.record(&request(1)).await.unwrap().fence;
    let settlement = Settlement {
        by: Source::Operator,
        seen: Seen { state: StateName::Unknown, fence },
        verdict,
        result: result("settled"),
        author: Author::new("ana", "called the bank").unwrap(),
    };
    begun.ledger.settle(begun.reference(&request(1)).await, settlement).await.unwrap().unwrap();
}

fn refusal(unrecorded: Unrecorded) -> Refusal {
    match unrecorded {
        Unrecorded::Refused(refusal) => refusal,
        Unrecorded::Pending => panic!("the store has said no"),
    }
}

/// F11, F12: a crash blocked the key for as long as the result would have been kept, or for ever.
#[tokio::test(start_paused = true)]
async fn f11_f12_a_lease_that_passes_makes_the_record_unknown_once_that_is_written() {
    let (one, two) = begin_two().await;
    let _crashed = one.run(&request(1)).await;
    two.store.advance(LEASE);
    assert_eq!(two.state(&request(1)).await, "in-progress, fence 1", "not before somebody writes it");
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
    assert_eq!(two.state(&request(1)).await, "unknown, fence 1");
    settle(&two, Verdict::Applied { status: 201 }).await;
    assert_eq!(replayed(&two.standing(&request(1)).await), b"settled");
}

/// Nobody is told unknown before that is written.
#[tokio::test(start_paused = true)]
async fn a_lapse_that_cannot_be_written_is_told_to_nobody() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    two.store.advance(LEASE);
    two.store.keep_failing(Write::Unknown, Fault::Refused(onlyonce_ledger::store::ErrorKind::NotApplied));
    two.look(&request(1)).await.unwrap_err();
    two.store.heal();
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
    assert_eq!(one.ledger.late_outcomes(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_on_a_lapse_that_a_hanging_store_holds() {
    let (one, two) = begin_two().await;
    let _attempt = one.run(&request(1)).await;
    two.store.advance(LEASE);
    let gate = Gate::closed();
    two.store.fail(Write::Unknown, Fault::Held(gate.clone()), 1);
    let looked = tokio::time::timeout(Duration::from_secs(30), two.look(&request(1))).await;
    looked.expect("bounded by what a request waits for the store").unwrap_err();
    gate.open();
    two.store.until_applied(Write::Unknown, 1).await;
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
}

/// A hundred who see the lapse write it once, and it counts as one unknown.
#[tokio::test(start_paused = true)]
async fn a_lapse_counts_once_however_many_see_it() {
    let (one, two) = begin_two().await;
    let _attempt = one.run(&request(1)).await;
    two.store.advance(LEASE);
    let looks: Vec<_> = (0..100)
        .map(|_| {
            let ledger = two.ledger.clone();
            tokio::spawn(async move { ledger.look_up(&request(1), Duration::ZERO).await })
        })
        .collect();
    for look in looks {
        look.await.unwrap().unwrap();
    }
    assert_eq!(two.store.applied(Write::Unknown), 1);
    assert_eq!(two.unknown(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_completion_is_accepted_and_audited() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    lapse(&two).await;
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
    assert_eq!(one.ledger.late_outcomes(), 1);
    assert_eq!(one.audit().await, ["late outcome accepted: unknown, fence 1 -> completed, fence 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_completion_after_losing_track_is_accepted_and_audited_once() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    attempt.lose_track(LOST).await.unwrap();
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Unknown);
    begun.store.fail(Write::Complete, Fault::ReplyLost, 5);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    assert_eq!((begun.ledger.late_outcomes(), begun.audit().await.len()), (1, 1));
    assert_eq!(begun.unknown(), 0);
}

/// It landed, and the reply was lost for longer than anybody waits: found there, it is late all the same, and once.
#[tokio::test(start_paused = true)]
async fn a_late_completion_that_is_recognised_in_the_background_is_audited_once() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    attempt.lose_track(LOST).await.unwrap();
    begun.store.keep_failing(Write::Complete, Fault::ReplyLost);
    assert!(matches!(attempt.complete(CREATED, result("paid")).await, Err(Unrecorded::Pending)));
    begun.store.heal();
    drop(attempt);
    begun.over().await;
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    assert_eq!((begun.ledger.late_outcomes(), begun.audit().await.len()), (1, 1));
}

/// F14: a late owner overwrote or deleted its successor, and nobody learned of the second effect.
#[tokio::test(start_paused = true)]
async fn f14_a_late_attempt_never_touches_its_successor_and_people_are_told() {
    let (one, two) = begin_two().await;
    let late = one.run(&request(1)).await;
    lapse(&two).await;
    settle(&two, Verdict::NotApplied { forced: true }).await;
    let successor = two.run(&request(1)).await;
    let row = two.store.row(request(1).id).await;
    assert_eq!(refusal(late.complete(CREATED, result("late")).await.unwrap_err()), Refusal::Superseded);
    for cause in [ReleaseCause::NotSent, ReleaseCause::Answered(429)] {
        assert_eq!(refusal(late.release(cause, None).await.unwrap_err()), Refusal::Superseded);
    }
    assert_eq!(refusal(late.lose_track(LOST).await.unwrap_err()), Refusal::Superseded);
    assert_eq!(two.store.row(request(1).id).await, row, "no byte of the successor's record changed");
    successor.complete(CREATED, result("second")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"second");
    let line = "late outcome refused: in-progress, fence 2 -> in-progress, fence 2";
    assert!(one.audit().await.iter().any(|entry| entry == line), "{:?}", one.audit().await);
    assert_eq!(one.ledger.late_outcomes(), 1);
}

/// The effect did happen, whatever was settled: as long as nobody has run since, the truth wins, and people are told.
/// Before, only an attempt that had itself lost track was audited.
#[tokio::test(start_paused = true)]
async fn a_late_completion_proves_not_applied_wrong_and_people_are_told() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    lapse(&two).await;
    settle(&two, Verdict::NotApplied { forced: true }).await;
    attempt.complete(CREATED, result("paid after all")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid after all");
    assert_eq!(one.ledger.late_outcomes(), 1);
    assert_eq!(
        one.audit().await.last().unwrap(),
        "late outcome accepted: released, fence 1 -> completed, fence 1"
    );
}

/// Whoever is told no has had his word: an attempt that goes on listening after that takes nobody's place.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_refused_holds_no_place() {
    let one = begin_with(Options { attempts: 1, ..Options::default() }).await;
    one.store.share();
    let (ledger, _) = open(&one.store, Options::default()).await;
    let two = Begun { ledger, store: Arc::clone(&one.store) };
    let attempt = one.run(&request(1)).await;
    lapse(&two).await;
    settle(&two, Verdict::Applied { status: 200 }).await;
    assert_eq!(refusal(attempt.lose_track(LOST).await.unwrap_err()), Refusal::NotOpen);
    one.execute(&request(2), "paid").await;
    drop(attempt);
}

/// Two truths for one key. What was settled stands, and the other is told to people: also that nothing was
/// sent, where an operator said that it was applied.
#[tokio::test(start_paused = true)]
async fn what_an_attempt_says_against_a_settlement_is_refused_and_audited() {
    for completes in [true, false] {
        let (one, two) = begin_two().await;
        let attempt = one.run(&request(1)).await;
        lapse(&two).await;
        settle(&two, Verdict::Applied { status: 200 }).await;
        let unrecorded = match completes {
            true => attempt.complete(Completion::Kept { status: 500 }, result("failed")).await,
            false => attempt.release(ReleaseCause::NotSent, None).await,
        };
        assert_eq!(refusal(unrecorded.unwrap_err()), Refusal::SettledOtherwise);
        assert_eq!(replayed(&two.standing(&request(1)).await), b"settled");
        assert_eq!(one.ledger.late_outcomes(), 1);
        let line = "late outcome refused: completed, fence 1 -> completed, fence 1";
        assert_eq!(one.audit().await.last().unwrap(), line);
    }
}

/// The entry named the operation that stands now, of which it is not true that somebody executed it twice.
#[tokio::test(start_paused = true)]
async fn a_late_outcome_is_audited_under_its_own_operation() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    let late = attempt.operation_ref();
    let id = request(1).id;
    let row = begun.store.row(id).await.unwrap();
    let mut successor = onlyonce_core::codec::decode(&row).unwrap();
    successor.first_claim_at = successor.first_claim_at.plus(LEASE);
    successor.version.attempt = onlyonce_core::AttemptId([9; 16]);
    begun.store.plant(id, Some(onlyonce_core::codec::encode(&successor)));
    attempt.complete(CREATED, result("paid")).await.unwrap_err();
    let entries = begun.ledger.audit(None, 10).await.unwrap().entries;
    let named: Vec<_> = entries.iter().map(|(_, entry)| entry.operation_ref.clone()).collect();
    assert_eq!(named, [late.to_string()]);
}

/// Who can prove that nothing was sent may say so late.
#[tokio::test(start_paused = true)]
async fn a_late_release_frees_the_key_if_nothing_was_sent_and_only_then() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    lapse(&two).await;
    let unrecorded = attempt.release(ReleaseCause::Answered(429), None).await.unwrap_err();
    assert_eq!(refusal(unrecorded), Refusal::Unknown);
    attempt.release(ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(two.state(&request(1)).await, "released, fence 1");
}

/// The claim lapsed before anything was done with it.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_never_started_takes_its_record_back_also_when_it_has_lapsed() {
    let (one, two) = begin_two().await;
    let attempt = one.claim(&request(1)).await;
    lapse(&two).await;
    drop(attempt);
    one.over().await;
    two.execute(&request(1), "paid").await;
    assert_eq!(one.ledger.late_outcomes(), 0);
}
