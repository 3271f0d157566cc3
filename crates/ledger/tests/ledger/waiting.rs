//! Duplicates that arrive while the first request runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Refusal, record::ReleaseCause};
use onlyonce_ledger::{
    Error, ErrorKind, Options,
    begin::{Claimed, Look, Request, Standing},
    store::ErrorKind as StoreError,
};
use tokio::task::JoinHandle;

use crate::{
    begun::{
        Begun, CREATED, LONG, LOST, begin, begin_with, other_body, refused, replayed, request, result,
        settled,
    },
    faulty::{Fault, Gate, Write},
};

/// A caller as a server would treat it: waits, takes the lead if the key is free, runs, and gets the result.
async fn call(begun: &Begun, request: &Request, effects: &AtomicUsize) -> Bytes {
    let standing = match begun.wait(request).await.unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(leader) => match leader.claim().await.unwrap() {
            Claimed::Stands(standing) => standing,
            Claimed::Attempt(attempt) => {
                attempt.start().await.unwrap();
                let number = effects.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                let result = Bytes::from(format!("transfer {number}"));
                attempt.complete(CREATED, result.clone()).await.unwrap();
                return result;
            }
        },
    };
    Bytes::copy_from_slice(replayed(&standing))
}

fn waiter(begun: &Arc<Begun>, request: Request) -> JoinHandle<Result<Look, Error>> {
    let begun = Arc::clone(begun);
    tokio::spawn(async move { begun.wait(&request).await })
}

async fn stands(waiter: JoinHandle<Result<Look, Error>>) -> Standing {
    match waiter.await.unwrap().unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(_) => panic!("something stands"),
    }
}

/// Until so many wait.
async fn waiting(begun: &Begun, waiters: usize) {
    for _ in 0..10_000 {
        if begun.ledger.waiters() == waiters {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} wait instead of {waiters}", begun.ledger.waiters());
}

/// F01: get, call, set.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f01_a_hundred_parallel_duplicates_are_one_attempt_and_a_hundred_equal_results() {
    let (begun, effects) = (Arc::new(begin().await), Arc::new(AtomicUsize::new(0)));
    let call = || {
        let (begun, effects) = (Arc::clone(&begun), Arc::clone(&effects));
        tokio::spawn(async move { call(&begun, &request(1), &effects).await })
    };
    let calls: Vec<_> = (0..100).map(|_| call()).collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "transfer 0");
    }
    assert_eq!(effects.load(Ordering::SeqCst), 1);
    assert_eq!(begun.store.applied(Write::Claim), 1);
}

/// Of a hundred duplicates one was told *in progress*: it had read the record while the first request ran, and when it
/// asked for the first request to follow, that had just completed.
#[tokio::test(start_paused = true)]
async fn a_completion_between_reading_and_following_is_not_missed() {
    let begun = Arc::new(begin().await);
    let (before, after) = (Gate::closed(), Gate::closed());
    begun.store.hold_read(&before, &after);
    let duplicate = waiter(&begun, request(1));
    settled().await;
    let attempt = begun.run(&request(1)).await;
    before.open();
    settled().await;
    attempt.complete(CREATED, result("paid")).await.unwrap();
    after.open();
    assert_eq!(replayed(&stands(duplicate).await), b"paid");
}

/// F07: concurrent replays refused each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f07_a_hundred_parallel_replays_are_a_hundred_equal_results() {
    let begun = Arc::new(begin().await);
    begun.execute(&request(1), "paid").await;
    let waiters: Vec<_> = (0..100).map(|_| waiter(&begun, request(1))).collect();
    for waiter in waiters {
        assert_eq!(replayed(&stands(waiter).await), b"paid");
    }
}

/// F06: *in progress* was judged before the fingerprint. Here the loser comes before the claim is acknowledged,
/// and once more while the first one runs.
#[tokio::test(start_paused = true)]
async fn f06_a_racing_loser_with_another_body_is_a_mismatch_while_the_first_runs() {
    let begun = Arc::new(begin().await);
    let leader = begun.lead(&request(1)).await;
    let loser = waiter(&begun, other_body(1));
    waiting(&begun, 1).await;
    let Claimed::Attempt(_attempt) = leader.claim().await.unwrap() else { panic!("the key is free") };
    assert_eq!(refused(stands(loser).await), Refusal::Mismatch);
    assert_eq!(refused(begun.standing(&other_body(1)).await), Refusal::Mismatch);
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::InProgress);
}

/// What is shared is the news, never the decision.
#[tokio::test(start_paused = true)]
async fn a_waiter_with_another_body_never_gets_the_result() {
    let begun = Arc::new(begin().await);
    let leader = begun.lead(&request(1)).await;
    let (same, other) = (waiter(&begun, request(1)), waiter(&begun, other_body(1)));
    waiting(&begun, 2).await;
    let Claimed::Attempt(attempt) = leader.claim().await.unwrap() else { panic!("the key is free") };
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&stands(same).await), b"paid");
    assert_eq!(refused(stands(other).await), Refusal::Mismatch);
}

/// F08: a waiter that gave up deleted the running owner's record.
#[tokio::test(start_paused = true)]
async fn f08_a_waiter_that_gives_up_leaves_the_owner_and_the_other_waiters_alone() {
    let begun = Arc::new(begin().await);
    let attempt = begun.run(&request(1)).await;
    let patient = waiter(&begun, request(1));
    let gone = waiter(&begun, request(1));
    waiting(&begun, 2).await;
    let row = begun.store.row(request(1).id).await;
    gone.abort();
    let look = begun.ledger.look_up(&request(1), Duration::from_secs(1)).await.unwrap();
    assert!(matches!(look, Look::Stands(Standing::Refused { refusal: Refusal::InProgress, .. })));
    waiting(&begun, 1).await;
    assert_eq!(begun.store.row(request(1).id).await, row);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&stands(patient).await), b"paid");
}

/// F09: a waiter took the key over without reading the result again.
#[tokio::test(start_paused = true)]
async fn f09_after_a_release_exactly_one_waiter_takes_over_and_the_others_get_its_result() {
    let (begun, effects) = (Arc::new(begin().await), Arc::new(AtomicUsize::new(0)));
    let attempt = begun.run(&request(1)).await;
    let call = || {
        let (begun, effects) = (Arc::clone(&begun), Arc::clone(&effects));
        tokio::spawn(async move { call(&begun, &request(1), &effects).await })
    };
    let calls: Vec<_> = (0..20).map(|_| call()).collect();
    waiting(&begun, 20).await;
    attempt.release(ReleaseCause::Answered(403), None).await.unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap(), "transfer 0");
    }
    assert_eq!(effects.load(Ordering::SeqCst), 1);
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
}

/// An upstream that is not there is not asked by ten thousand waiters in turn.
#[tokio::test(start_paused = true)]
async fn waiters_share_the_answer_that_would_be_the_same_for_each() {
    let begun = Arc::new(begin().await);
    let attempt = begun.run(&request(1)).await;
    let waiters: Vec<_> = (0..10).map(|_| waiter(&begun, request(1))).collect();
    waiting(&begun, 10).await;
    attempt.release(ReleaseCause::NotSent, Some(result("no route to host"))).await.unwrap();
    for waiter in waiters {
        assert!(
            matches!(stands(waiter).await, Standing::Shared { answer, .. } if answer == "no route to host")
        );
    }
    assert_eq!(begun.store.applied(Write::Claim), 1);
    begun.execute(&other_body(1), "the key is free, for any request").await;
}

#[tokio::test(start_paused = true)]
async fn waiters_are_answered_only_after_the_completion_is_durable() {
    let begun = Arc::new(begin().await);
    let attempt = begun.run(&request(1)).await;
    let waiter = waiter(&begun, request(1));
    waiting(&begun, 1).await;
    let gate = Gate::closed();
    begun.store.fail(Write::Complete, Fault::Held(gate.clone()), 1);
    let completion = tokio::spawn(async move { attempt.complete(CREATED, result("paid")).await });
    begun.store.until_met(Write::Complete, 1).await;
    settled().await;
    assert!(!waiter.is_finished() && !completion.is_finished());
    gate.open();
    completion.await.unwrap().unwrap();
    assert_eq!(replayed(&stands(waiter).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn waiters_learn_that_the_outcome_is_unknown() {
    let begun = Arc::new(begin().await);
    let attempt = begun.run(&request(1)).await;
    let waiter = waiter(&begun, request(1));
    waiting(&begun, 1).await;
    attempt.lose_track(LOST).await.unwrap();
    assert_eq!(refused(stands(waiter).await), Refusal::Unknown);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_in_progress_or_with_no_word_of_the_claim() {
    let begun = begin().await;
    let leader = begun.lead(&request(1)).await;
    let wait = Duration::from_secs(5);
    let error = begun.ledger.look_up(&request(1), wait).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "nobody knows yet whether anything runs");
    let _attempt = leader.claim().await.unwrap();
    let look = begun.ledger.look_up(&request(1), wait).await.unwrap();
    assert!(matches!(look, Look::Stands(Standing::Refused { refusal: Refusal::InProgress, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_fails_fails_for_those_who_wait_too() {
    let begun = Arc::new(begin().await);
    let leader = begun.lead(&request(1)).await;
    let waiters: Vec<_> = (0..10).map(|_| waiter(&begun, request(1))).collect();
    waiting(&begun, 10).await;
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::NotApplied));
    leader.claim().await.unwrap_err();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn over_the_bound_of_a_key_it_is_in_progress_at_once() {
    let begun = Arc::new(begin_with(Options { waiters_per_key: 2, ..Options::default() }).await);
    let attempt = begun.run(&request(1)).await;
    let waiters: Vec<_> = (0..2).map(|_| waiter(&begun, request(1))).collect();
    waiting(&begun, 2).await;
    let before = tokio::time::Instant::now();
    let Look::Stands(standing) = begun.wait(&request(1)).await.unwrap() else { panic!("it runs") };
    assert_eq!(refused(standing), Refusal::InProgress);
    assert!(before.elapsed() < LONG, "at once");
    let Look::Stands(standing) = begun.wait(&other_body(1)).await.unwrap() else { panic!("it runs") };
    assert_eq!(refused(standing), Refusal::Mismatch, "judged like any other");
    attempt.complete(CREATED, result("paid")).await.unwrap();
    for waiter in waiters {
        assert_eq!(replayed(&stands(waiter).await), b"paid");
    }
}

#[tokio::test(start_paused = true)]
async fn over_the_bound_of_all_keys_it_is_in_progress_at_once_and_a_place_that_is_left_is_free() {
    let begun = Arc::new(begin_with(Options { waiters: 1, ..Options::default() }).await);
    let (_one, two) = (begun.run(&request(1)).await, begun.run(&request(2)).await);
    let first = waiter(&begun, request(1));
    waiting(&begun, 1).await;
    let before = tokio::time::Instant::now();
    assert_eq!(refused(stands(waiter(&begun, request(2))).await), Refusal::InProgress);
    assert!(before.elapsed() < LONG, "at once");
    first.abort();
    waiting(&begun, 0).await;
    let second = waiter(&begun, request(2));
    waiting(&begun, 1).await;
    two.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&stands(second).await), b"paid");
}
