//! An attempt ends by complete, release or unknown, whatever becomes of whoever held it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use onlyonce_core::{
    RecordId, Refusal, State,
    event::Completion,
    record::{ReleaseCause, TombstoneCause},
};
use onlyonce_ledger::begin::{Claimed, Look, Request};

use crate::{
    begun::{CREATED, LOST, begin, refused, replayed, request, result},
    faulty::{Fault, Write},
};

#[tokio::test(start_paused = true)]
async fn a_result_is_replayed_as_it_was_given() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    let record = attempt.complete(CREATED, result("paid")).await.unwrap();
    assert!(matches!(record.state, State::Completed { status: 201, .. }));
    let sealed = begun.store.body_of(request(1).id).await.unwrap();
    assert!(!sealed.windows(4).any(|window| window == b"paid"), "it lies sealed in the store");
    for _ in 0..2 {
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_gone_or_damaged_is_said_so_and_never_run_again() {
    use onlyonce_ledger::begin::Standing;

    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    begun.execute(&request(2), "also paid").await;
    let (first, second) =
        (begun.store.body_of(request(1).id).await, begun.store.body_of(request(2).id).await);
    for body in [None, second, first.clone().map(|sealed| sealed.slice(..10))] {
        begun.store.plant_body(request(1).id, body);
        assert!(matches!(begun.standing(&request(1)).await, Standing::Damaged { .. }));
    }
    begun.store.plant_body(request(1).id, first);
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
}

/// F19: an answer too large to store was not stored at all, so the retry ran again.
#[tokio::test(start_paused = true)]
async fn f19_an_answer_too_large_to_keep_leaves_a_tombstone() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    attempt.complete(Completion::TooLarge { status: 200 }, result("")).await.unwrap();
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Gone(TombstoneCause::TooLarge));
}

/// A completion that can never be written.
#[tokio::test(start_paused = true)]
async fn a_completion_refused_for_its_content_becomes_a_tombstone() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Complete, Fault::Refused(onlyonce_ledger::store::ErrorKind::Content));
    let attempt = begun.run(&request(1)).await;
    let record = attempt.complete(CREATED, result("paid")).await.unwrap();
    assert!(matches!(record.state, State::Tombstone { status: Some(201), .. }));
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Gone(TombstoneCause::TooLarge));
}

/// What was admitted can always end. A small result has its room since the claim; a large one that
/// finds none leaves a tombstone.
#[tokio::test(start_paused = true)]
async fn without_room_a_large_result_becomes_a_tombstone_and_no_end_is_refused() {
    let begun = begin().await;
    let (small, large, none) =
        (begun.run(&request(1)).await, begun.run(&request(2)).await, begun.run(&request(3)).await);
    begun.store.full(true);
    small.complete(CREATED, result("paid")).await.unwrap();
    large.complete(CREATED, vec![0; 1024 * 1024].into()).await.unwrap();
    none.release(ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    assert_eq!(refused(begun.standing(&request(2)).await), Refusal::Gone(TombstoneCause::TooLarge));
    assert_eq!(begun.state(&request(3)).await, "released, fence 1");
}

/// F17: an upstream that was not reached left the lock behind.
#[tokio::test(start_paused = true)]
async fn f17_a_released_key_is_free_at_once() {
    let begun = begin().await;
    begun.run(&request(1)).await.release(ReleaseCause::NotSent, None).await.unwrap();
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_dropped_before_its_start_is_released() {
    let begun = begin().await;
    drop(begun.claim(&request(1)).await);
    begun.over().await;
    begun.execute(&request(1), "paid").await;
}

/// F15, F18: the effect may have happened.
#[tokio::test(start_paused = true)]
async fn f15_f18_an_attempt_dropped_after_its_start_is_unknown() {
    let begun = begin().await;
    drop(begun.run(&request(1)).await);
    begun.over().await;
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Unknown);
    assert_eq!(begun.unknown(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_dropped_after_its_end_changes_nothing() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (_, second) = (begun.run(&request(2)).await.lose_track(LOST).await, begun.claim(&request(3)).await);
    second.release(ReleaseCause::NotStarted, None).await.unwrap();
    drop(second);
    let log = begun.store.log().len();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.store.log().len(), log);
    assert_eq!(begun.ledger.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_attempt_cannot_start_and_one_that_started_is_not_abandoned() {
    let begun = begin().await;
    let (first, second) = (begun.claim(&request(1)).await, begun.claim(&request(2)).await);
    assert!(first.abandon());
    first.start().await.unwrap_err();
    second.start().await.unwrap();
    assert!(!second.abandon());
    drop((first, second));
    begun.over().await;
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");
}

/// What a drain does.
#[tokio::test(start_paused = true)]
async fn giving_up_releases_what_did_not_start_and_loses_track_of_the_rest() {
    let begun = begin().await;
    let (waiting, running) = (begun.claim(&request(1)).await, begun.run(&request(2)).await);
    let ended = begun.run(&request(3)).await;
    ended.complete(CREATED, result("done")).await.unwrap();
    begun.ledger.give_up_attempts().await;
    assert_eq!(begun.state(&request(1)).await, "released, fence 1");
    assert_eq!(begun.state(&request(2)).await, "unknown, fence 1");
    assert_eq!(begun.state(&request(3)).await, "completed, fence 1");
    waiting.start().await.unwrap_err();
    waiting.release(ReleaseCause::NotStarted, None).await.unwrap();
    assert_eq!(begun.ledger.late_outcomes(), 0, "a release twice is no late outcome");
    running.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(2)).await), b"paid");
    assert_eq!(begun.ledger.late_outcomes(), 1);
}

/// Start and drain at the same moment: either it does not start, or it is unknown; never started and released.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attempt_that_starts_while_it_is_given_up_is_never_released() {
    let begun = Arc::new(begin().await);
    for number in 0..400_u128 {
        let request = Request { id: RecordId(number.to_be_bytes()), ..request(0) };
        let attempt = begun.claim(&request).await;
        // Both are let go at one moment, by spinning: waking a thread takes longer than the race.
        let ready = Arc::new(AtomicUsize::new(0));
        let together = |ready: &AtomicUsize| {
            ready.fetch_add(1, Ordering::SeqCst);
            while ready.load(Ordering::SeqCst) < 2 {
                std::hint::spin_loop();
            }
        };
        let (ledger, other) = (begun.ledger.clone(), Arc::clone(&ready));
        let giving_up = tokio::spawn(async move {
            together(&other);
            ledger.give_up_attempts().await;
        });
        let starting = tokio::spawn(async move {
            together(&ready);
            (attempt.start().await.is_ok(), attempt)
        });
        let (started, _attempt) = starting.await.unwrap();
        giving_up.await.unwrap();
        let expected = if started { "unknown, fence 1" } else { "released, fence 1" };
        assert_eq!(begun.state(&request).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_does_not_wait_for_ever_on_a_store_that_hangs() {
    use crate::faulty::Gate;

    let begun = begin().await;
    let _attempt = begun.run(&request(1)).await;
    begun.store.fail(Write::Unknown, Fault::Held(Gate::closed()), 1);
    let limit = std::time::Duration::from_secs(60);
    assert!(tokio::time::timeout(limit, begun.ledger.give_up_attempts()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_record_keeps_who_when_and_what_it_was() {
    let begun = begin().await;
    let look = begun.look(&request(1)).await.unwrap();
    let Look::Free(leader) = look else { panic!("the key is free") };
    let Claimed::Attempt(attempt) = leader.claim().await.unwrap() else { panic!("nobody else is here") };
    let record = begun.record(&request(1)).await.unwrap();
    assert_eq!(attempt.operation_ref(), record.operation_ref(request(1).id));
    assert_eq!(record.fingerprint, request(1).fingerprint);
    assert_eq!(record.owner, request(1).owner);
    assert_eq!(begun.ledger.parameters(request(1).id, &record).unwrap(), request(1).parameters);
    assert!(!record.parameters.windows(6).any(|window| window == b"amount"), "sealed");
}
