//! Claims over a store that loses, delays or refuses them: one that was granted runs, one that was given up never
//! does and leaves the key free.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::{Refusal, codec::FORMAT};
use onlyonce_ledger::{ErrorKind, store::ErrorKind as StoreError};

use crate::{
    begun::{Begun, CREATED, begin, begin_two, passes, refused, replayed, request, result},
    faulty::{Fault, Gate, Write},
};

/// The claim fails, as one whose fate is in doubt does.
async fn given_up(begun: &Begun) {
    let error = begun.lead(&request(1)).await.claim().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

/// F25: a claim that was sent again took its own row for a rival's, and the key was wedged.
#[tokio::test(start_paused = true)]
async fn f25_a_claim_whose_reply_was_lost_recognises_itself() {
    let begun = begin().await;
    begun.store.fail(Write::Claim, Fault::ReplyLost, 3);
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.store.applied(Write::Claim), 1);
    assert_eq!(begun.state(&request(1)).await, "completed, fence 1");
}

/// F25, for the other end of an attempt.
#[tokio::test(start_paused = true)]
async fn f25_a_completion_whose_reply_was_lost_is_recognised() {
    let begun = begin().await;
    begun.store.fail(Write::Complete, Fault::ReplyLost, 3);
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.store.applied(Write::Complete), 1);
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    assert_eq!(begun.ledger.late_outcomes(), 0);
}

/// F25. The repeat of a release must not meet the next attempt either.
#[tokio::test(start_paused = true)]
async fn f25_a_release_whose_reply_was_lost_is_recognised_and_frees_nobody_else() {
    let begun = begin().await;
    let gate = Gate::closed();
    let first = begun.run(&request(1)).await;
    begun.store.fail(Write::Release, Fault::ReplyLost, 1);
    let cause = onlyonce_core::record::ReleaseCause::NotSent;
    let release = tokio::spawn(async move { first.release(cause, None).await });
    begun.store.until_applied(Write::Release, 1).await;
    begun.store.fail(Write::Release, Fault::Held(gate.clone()), 1);
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");
    gate.open();
    release.await.unwrap().unwrap();
    begun.claim(&request(1)).await;
    assert_eq!(begun.state(&request(1)).await, "in-progress, fence 2");
}

/// A store whose replicas are gone writes and never confirms: the key was held until they came back.
#[tokio::test(start_paused = true)]
async fn a_claim_that_stands_and_is_never_confirmed_is_released() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::ReplyLost);
    given_up(&begun).await;
    begun.store.until_applied(Write::Release, 1).await;
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_surely_not_applied_leaves_the_key_free() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::NotApplied));
    given_up(&begun).await;
    begun.store.heal();
    assert_eq!(begun.state(&request(1)).await, "absent");
    begun.execute(&request(1), "paid").await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_refused_for_its_content_is_not_tried_for_ever() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::Content));
    given_up(&begun).await;
    assert_eq!(begun.store.met(Write::Claim), 1);
    begun.store.heal();
    begun.execute(&request(1), "paid").await;
}

/// It landed, the reply was lost, and before it was sent again another process saw the lease pass.
#[tokio::test(start_paused = true)]
async fn a_claim_that_lapsed_before_it_was_acknowledged_never_runs_and_is_released() {
    let (one, two) = begin_two().await;
    one.store.fail(Write::Claim, Fault::ReplyLost, 1);
    let claim = tokio::spawn(one.lead(&request(1)).await.claim());
    one.store.until_applied(Write::Claim, 1).await;
    two.store.advance(Duration::from_secs(61));
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
    assert_eq!(claim.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    one.store.until_applied(Write::Release, 1).await;
    two.execute(&request(1), "paid").await;
    assert_eq!(one.ledger.late_outcomes(), 0);
}

/// The store says *not applied* of the second copy, which proves nothing of the first.
#[tokio::test(start_paused = true)]
async fn a_ghost_claim_whose_repeat_was_surely_not_applied_is_released() {
    let begun = begin().await;
    begun.store.fail(Write::Claim, Fault::Ghost, 1);
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::NotApplied));
    given_up(&begun).await;
    begun.store.haunt().await;
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
}

/// The first copy landed; that the store takes no second one does not undo it.
#[tokio::test(start_paused = true)]
async fn a_claim_in_doubt_that_is_then_refused_for_its_content_is_released() {
    let begun = begin().await;
    begun.store.fail(Write::Claim, Fault::Refused(StoreError::Unknown), 1);
    begun.store.fail(Write::Claim, Fault::Refused(StoreError::Content), 1);
    given_up(&begun).await;
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
}

/// The claim lands, and everybody has been told that it failed.
#[tokio::test(start_paused = true)]
async fn a_claim_given_up_never_runs_and_is_released_once_the_store_confirms() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::ReplyLost);
    given_up(&begun).await;
    assert_eq!(begun.state(&request(1)).await, "in-progress, fence 1");
    assert_eq!(begun.ledger.attempts(), 0, "nothing runs");
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
}

#[tokio::test(start_paused = true)]
async fn a_release_of_a_claim_given_up_is_tried_until_the_store_takes_it() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::ReplyLost);
    begun.store.keep_failing(Write::Release, Fault::Refused(StoreError::NotApplied));
    given_up(&begun).await;
    begun.store.heal();
    begun.store.keep_failing(Write::Release, Fault::Refused(StoreError::Unknown));
    begun.store.until_met(Write::Release, 20).await;
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
}

/// A claim that lands after it was given up is a ghost. It comes first: whoever gave the claim up finds it there and
/// releases it.
#[tokio::test(start_paused = true)]
async fn a_ghost_claim_that_lands_after_its_request_was_refused_is_released() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Ghost);
    given_up(&begun).await;
    begun.store.haunt().await;
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::InProgress);
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
}

/// A newer version claimed the key meanwhile, or the row was damaged. It was asked for as fast as the store answered, with
/// a line in the log each time, and the claim kept its place among the attempts until the row was gone.
#[tokio::test(start_paused = true)]
async fn a_claim_in_doubt_gives_way_to_a_row_that_cannot_be_read() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Ghost);
    given_up(&begun).await;
    begun.store.plant(request(1).id, Some(Bytes::from_static(b"of a newer version")));
    begun.store.heal();
    let met = begun.store.met(Write::Claim);
    passes(Duration::from_secs(60)).await;
    assert!(begun.ledger.is_quiet(), "it keeps no place");
    assert!(begun.store.met(Write::Claim) <= met + 1);
}

/// The ghost comes last: the row that a release leaves behind keeps it out.
#[tokio::test(start_paused = true)]
async fn a_ghost_claim_that_lands_after_its_release_changes_nothing() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Ghost);
    given_up(&begun).await;
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    let row = begun.store.row(request(1).id).await;
    begun.store.haunt().await;
    assert_eq!(begun.store.row(request(1).id).await, row);
    begun.execute(&request(1), "paid").await;
}

/// The ghost comes while the next attempt runs.
#[tokio::test(start_paused = true)]
async fn a_ghost_claim_that_lands_on_its_successor_changes_nothing() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Ghost);
    given_up(&begun).await;
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    let successor = begun.run(&request(1)).await;
    begun.store.haunt().await;
    successor.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
}

/// A store that says nothing at all is no better than one that says that it does not know.
#[tokio::test(start_paused = true)]
async fn a_claim_that_a_hanging_store_holds_is_given_up_and_released_when_it_lands() {
    let begun = begin().await;
    let gate = Gate::closed();
    begun.store.fail(Write::Claim, Fault::Held(gate.clone()), 1);
    given_up(&begun).await;
    gate.open();
    begun.store.until_applied(Write::Release, 1).await;
    begun.execute(&request(1), "paid").await;
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_store_is_told_to_whoever_asks() {
    let begun = begin().await;
    assert!(begun.ledger.is_ready().await);
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::Poisoned));
    given_up(&begun).await;
    begun.ledger.poisoned().await;
    assert!(!begun.ledger.is_ready().await);
}

/// A store that panics must not leave a ledger that answers nobody and calls itself ready.
#[tokio::test(start_paused = true)]
async fn a_store_that_panics_counts_as_poisoned() {
    let begun = begin().await;
    begun.store.fail(Write::Claim, Fault::Panics, 1);
    given_up(&begun).await;
    begun.ledger.poisoned().await;
    assert!(!begun.ledger.is_ready().await);
}

/// F29: fail closed.
#[tokio::test(start_paused = true)]
async fn f29_a_ledger_that_cannot_be_read_lets_nothing_run() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    begun.store.reachable(false);
    for key in [1, 2] {
        assert_eq!(begun.look(&request(key)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(!begun.ledger.is_ready().await);
    begun.store.reachable(true);
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
}

/// Unreadable is never absent.
#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_refused_and_not_taken_for_new() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let row = begun.store.row(request(1).id).await.unwrap();
    for (at, flip, kind) in [(60, 1, ErrorKind::Damaged), (0, FORMAT ^ 9, ErrorKind::Unavailable)] {
        let mut damaged = row.to_vec();
        damaged[at] ^= flip;
        begun.store.plant(request(1).id, Some(damaged.into()));
        assert_eq!(begun.look(&request(1)).await.unwrap_err().kind(), kind);
    }
    begun.store.plant(request(1).id, Some(row.slice(..20)));
    assert_eq!(begun.look(&request(1)).await.unwrap_err().kind(), ErrorKind::Damaged);
}

/// It was absent when it was looked up, and is unreadable when the claim comes.
#[tokio::test(start_paused = true)]
async fn a_claim_that_meets_an_unreadable_row_leaves_it_alone() {
    let begun = begin().await;
    let leader = begun.lead(&request(1)).await;
    let damaged = Some(bytes::Bytes::from_static(b"\x01 not a record"));
    begun.store.plant(request(1).id, damaged.clone());
    assert_eq!(leader.claim().await.unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(begun.store.row(request(1).id).await, damaged);
}
