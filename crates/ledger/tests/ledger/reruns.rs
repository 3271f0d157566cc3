//! Re-runs: the one way to start while an outcome is unknown, for upstreams that deduplicate.

use std::time::Duration;

use onlyonce_core::{
    Refusal, State,
    record::{ReleaseCause, UnknownCause},
};
use onlyonce_ledger::{
    Attempt, ErrorKind, Ledger,
    attempt::Unrecorded,
    begin::{Claimed, Look},
};

use crate::{
    begun::{Begun, CREATED, LONG, LOST, begin, refused, replayed, request, rerunnable, result},
    faulty::{Fault, Write},
};

/// `settle_after` of these requests, and a little.
const RIPE: Duration = Duration::from_secs(121);

/// A first attempt of which nobody knows what became.
async fn unknown(begun: &Begun) -> Attempt {
    let attempt = begun.run(&rerunnable(1)).await;
    attempt.lose_track(LOST).await.unwrap();
    attempt
}

/// The re-run of it.
async fn rerun(begun: &Begun) -> (Attempt, Attempt) {
    let first = unknown(begun).await;
    begun.store.advance(RIPE);
    let second = begun.run(&rerunnable(1)).await;
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn a_repeat_re_runs_after_settle_after_and_not_before() {
    let begun = begin().await;
    let first = unknown(&begun).await;
    begun.store.advance(RIPE - Duration::from_secs(2));
    assert_eq!(refused(begun.standing(&rerunnable(1)).await), Refusal::Unknown);
    begun.store.advance(Duration::from_secs(2));
    let second = begun.run(&rerunnable(1)).await;
    assert!(second.is_rerun() && !first.is_rerun());
    assert_eq!((second.fence().0, second.operation_ref()), (2, first.operation_ref()));
    second.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&rerunnable(1)).await), b"paid");
    assert_eq!(begun.unknown(), 0);
}

/// A promise about the upstream that is withdrawn counts at once, and one that was never made does not come later.
#[tokio::test(start_paused = true)]
async fn a_re_run_needs_the_promise_of_the_record_and_of_the_request() {
    let begun = begin().await;
    let _first = unknown(&begun).await;
    let held = begun.run(&request(2)).await;
    held.lose_track(LOST).await.unwrap();
    begun.store.advance(RIPE);
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Unknown);
    assert_eq!(refused(begun.standing(&rerunnable(2)).await), Refusal::Unknown);
}

/// A re-run never frees the key.
#[tokio::test(start_paused = true)]
async fn a_re_run_that_is_released_goes_back_to_unknown() {
    for cause in [ReleaseCause::NotStarted, ReleaseCause::NotSent, ReleaseCause::Answered(401)] {
        let begun = begin().await;
        let (_first, second) = rerun(&begun).await;
        let record = second.release(cause, None).await.unwrap();
        assert!(matches!(record.state, State::Unknown { cause: UnknownCause::RerunRefused, .. }));
        assert_eq!(begun.state(&rerunnable(1)).await, "unknown, fence 2");
        assert_eq!(begun.unknown(), 1);
        let third = begun.run(&rerunnable(1)).await;
        assert!(third.is_rerun(), "the first is unknown as ever");
        assert_eq!(third.fence().0, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_re_run_dropped_before_its_start_goes_back_to_unknown() {
    let begun = begin().await;
    let _first = unknown(&begun).await;
    begun.store.advance(RIPE);
    drop(begun.claim(&rerunnable(1)).await);
    begun.store.until_applied(Write::Unknown, 2).await;
    assert_eq!(begun.state(&rerunnable(1)).await, "unknown, fence 2");
}

#[tokio::test(start_paused = true)]
async fn a_late_completion_of_the_first_attempt_is_refused_once_the_re_run_has_claimed() {
    let begun = begin().await;
    let (first, second) = rerun(&begun).await;
    let unrecorded = first.complete(CREATED, result("first")).await.unwrap_err();
    assert!(matches!(unrecorded, Unrecorded::Refused(Refusal::Superseded)));
    assert_eq!(begun.audit().await, ["late outcome refused: in-progress, fence 2 -> in-progress, fence 2"]);
    second.complete(CREATED, result("second")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&rerunnable(1)).await), b"second");
}

/// A claim that lands after it was given up, for a re-run: what lands must not free the key, nor hold it.
#[tokio::test(start_paused = true)]
async fn a_re_run_whose_claim_is_a_ghost_goes_back_to_unknown() {
    for lands_first in [true, false] {
        let begun = begin().await;
        let _first = unknown(&begun).await;
        begun.store.advance(RIPE);
        begun.store.keep_failing(Write::Claim, Fault::Ghost);
        let error = begun.lead(&rerunnable(1)).await.claim().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        if lands_first {
            begun.store.haunt().await;
            begun.store.heal();
            begun.store.until_applied(Write::Unknown, 2).await;
        } else {
            begun.store.heal();
            begun.store.until_applied(Write::Unknown, 2).await;
            begun.store.haunt().await;
        }
        assert_eq!(begun.state(&rerunnable(1)).await, "unknown, fence 2");
        begun.execute(&rerunnable(1), "paid").await;
    }
}

/// Only one of many repeats re-runs; who looked before it and claims after it is told its result.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_repeats_of_an_unknown_are_one_re_run() {
    let begun = begin().await;
    let _first = unknown(&begun).await;
    begun.store.advance(RIPE);
    let repeat = |ledger: Ledger| async move {
        let standing = match ledger.look_up(&rerunnable(1), LONG).await.unwrap() {
            Look::Stands(standing) => standing,
            Look::Free(leader) => match leader.claim().await.unwrap() {
                Claimed::Stands(standing) => standing,
                Claimed::Attempt(attempt) => {
                    attempt.start().await.unwrap();
                    attempt.complete(CREATED, result("paid")).await.unwrap();
                    return;
                }
            },
        };
        assert_eq!(replayed(&standing), b"paid");
    };
    let repeats: Vec<_> = (0..100).map(|_| tokio::spawn(repeat(begun.ledger.clone()))).collect();
    for repeat in repeats {
        repeat.await.unwrap();
    }
    assert_eq!(begun.state(&rerunnable(1)).await, "completed, fence 2");
}
