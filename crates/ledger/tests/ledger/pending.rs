//! Ends that the store does not confirm in time: they are tried on, by nobody but themselves, until the store says yes
//! or no.

use bytes::Bytes;
use onlyonce_core::{State, record::ReleaseCause};
use onlyonce_ledger::{
    Attempt,
    attempt::{PENDING_BYTES, Unrecorded},
    store::ErrorKind as StoreError,
};

use crate::{
    begun::{CREATED, begin, replayed, request, result},
    faulty::{Fault, Gate, Write},
};

/// Completes, and is told that it is not on record yet.
async fn completes_pending(attempt: &Attempt, result: Bytes) {
    let unrecorded = attempt.complete(CREATED, result).await.unwrap_err();
    assert!(matches!(unrecorded, Unrecorded::Pending), "{unrecorded:?}");
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_is_not_confirmed_is_tried_until_it_is_applied() {
    for fault in [
        Fault::Refused(StoreError::NotApplied),
        Fault::Refused(StoreError::Unknown),
        Fault::ReplyLost,
        Fault::Ghost,
    ] {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        begun.store.keep_failing(Write::Complete, fault);
        completes_pending(&attempt, result("paid")).await;
        let tries = begun.store.met(Write::Complete);
        begun.store.until_met(Write::Complete, tries + 10).await;
        begun.store.heal();
        drop(attempt);
        begun.over().await;
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
        assert_eq!(begun.store.applied(Write::Complete), 1);
        assert_eq!(begun.store.met(Write::Unknown), 0, "its outcome was never in doubt");
        assert_eq!(begun.ledger.late_outcomes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_a_hanging_store_holds_lands_once_and_counts_once() {
    let begun = begin().await;
    let gate = Gate::closed();
    let attempt = begun.run(&request(1)).await;
    begun.store.fail(Write::Complete, Fault::Held(gate.clone()), 1);
    completes_pending(&attempt, result("paid")).await;
    gate.open();
    drop(attempt);
    begun.over().await;
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    assert_eq!(begun.store.applied(Write::Complete), 1);
    assert!(begun.ledger.unknowns().iter().all(|(_, count)| *count == 0));
}

/// The end that is tried on is the attempt's end: whoever drops the attempt meanwhile must not make a second one.
/// Before, a drop wrote *unknown*, and if that came first a release was refused and the key was stuck.
#[tokio::test(start_paused = true)]
async fn an_attempt_dropped_while_its_release_is_pending_still_frees_the_key() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Release, Fault::Refused(StoreError::NotApplied));
    let unrecorded = attempt.release(ReleaseCause::Answered(429), None).await.unwrap_err();
    assert!(matches!(unrecorded, Unrecorded::Pending));
    drop(attempt);
    let tries = begun.store.met(Write::Release);
    begun.store.until_met(Write::Release, tries + 10).await;
    begun.store.heal();
    begun.over().await;
    assert_eq!(begun.store.met(Write::Unknown), 0);
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");
}

/// The same, raced: the pending release and the drop are tasks of their own, and either may come first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_order_of_a_pending_release_and_a_drop_makes_the_outcome_unknown() {
    let begun = begin().await;
    for key in 0..=255 {
        let attempt = begun.run(&request(key)).await;
        begun.store.fail(Write::Release, Fault::Refused(StoreError::Content), 1);
        let unrecorded = attempt.release(ReleaseCause::Answered(429), None).await.unwrap_err();
        assert!(matches!(unrecorded, Unrecorded::Pending));
        drop(attempt);
        begun.store.until_applied(Write::Release, usize::from(key) + 1).await;
        assert_eq!(begun.state(&request(key)).await, "released, fence 1");
    }
}

/// A completion that can never be written, after an answer that took too long.
#[tokio::test(start_paused = true)]
async fn a_pending_completion_that_is_refused_for_its_content_becomes_a_tombstone() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Unknown));
    completes_pending(&attempt, result("paid")).await;
    begun.store.heal();
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Content));
    begun.store.until_applied(Write::Tombstone, 1).await;
    assert_eq!(begun.state(&request(1)).await, "tombstone, fence 1");
}

/// The same, where the refusal comes to a try whose own fate was in doubt before.
#[tokio::test(start_paused = true)]
async fn a_completion_in_doubt_that_is_then_refused_for_its_content_becomes_a_tombstone() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Unknown));
    completes_pending(&attempt, result("paid")).await;
    let tries = begun.store.met(Write::Complete);
    begun.store.until_met(Write::Complete, tries + 5).await;
    begun.store.heal();
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Content));
    begun.store.until_applied(Write::Tombstone, 1).await;
    assert_eq!(begun.state(&request(1)).await, "tombstone, fence 1");
}

/// The tombstone, too, may be what the store refuses.
#[tokio::test(start_paused = true)]
async fn a_tombstone_for_refused_content_is_tried_on_too() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Content));
    begun.store.fail(Write::Tombstone, Fault::Refused(StoreError::Unknown), 20);
    completes_pending(&attempt, result("paid")).await;
    begun.store.until_applied(Write::Tombstone, 1).await;
    assert_eq!(begun.state(&request(1)).await, "tombstone, fence 1");
}

/// What waits to be written is bounded in bytes; beyond the bound the outcome is kept and the result is not.
#[tokio::test(start_paused = true)]
async fn results_that_wait_are_bounded_and_become_tombstones_beyond() {
    let begun = begin().await;
    let sixth = Bytes::from(vec![0; usize::try_from(PENDING_BYTES / 6).unwrap()]);
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::NotApplied));
    begun.store.keep_failing(Write::Tombstone, Fault::Refused(StoreError::NotApplied));
    for key in 0..8 {
        completes_pending(&begun.run(&request(key)).await, sixth.clone()).await;
    }
    begun.store.heal();
    begun.over().await;
    let (mut kept, mut tombstones) = (0, 0);
    for key in 0..8 {
        match begun.record(&request(key)).await.unwrap().state {
            State::Completed { .. } => kept += 1,
            State::Tombstone { .. } => tombstones += 1,
            state => panic!("an outcome that is known is on record, and not {state:?}"),
        }
    }
    assert_eq!((kept, tombstones), (5, 3), "five fit, a sixth is a little too large with its sealed form");
    let attempt = begun.run(&request(9)).await;
    attempt.complete(CREATED, result("there is room again")).await.unwrap();
}
