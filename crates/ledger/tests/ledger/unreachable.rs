//! A ledger that cannot be asked, and what is known of a key all the same: only where nothing is, a caller may choose to
//! let its request pass.

use onlyonce_core::{Refusal, record::ReleaseCause};
use onlyonce_ledger::{
    Error, ErrorKind, Options,
    begin::{Claimed, Look, Request},
    store::ErrorKind as StoreError,
};

use crate::{
    begun::{Begun, CREATED, LOST, begin, begin_with, refused, request, result, settled},
    faulty::{Fault, Gate, Write},
};

async fn fails(begun: &Begun, request: &Request) -> Error {
    begun.look(request).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn of_a_new_key_nothing_is_known_while_the_store_cannot_be_reached() {
    let begun = begin().await;
    begun.store.reachable(false);
    let error = fails(&begun, &request(1)).await;
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Unavailable, true));
}

/// A store that hangs held its callers for as long as it hung.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_in_time_cannot_be_reached() {
    let begun = begin().await;
    let (before, after) = (Gate::closed(), Gate::closed());
    begun.store.hold_read(&before, &after);
    let started = tokio::time::Instant::now();
    let error = fails(&begun, &request(1)).await;
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Unavailable, true));
    assert_eq!(started.elapsed(), Options::default().store_wait);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_runs_here_is_known_without_the_store() {
    let begun = begin().await;
    let _running = begun.run(&request(1)).await;
    begun.store.reachable(false);
    assert_eq!(refused(begun.standing(&request(1)).await), Refusal::InProgress);
}

/// Its record is unknown, and it may yet answer: letting its repeat pass would be a second effect.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_only_listens_is_known() {
    let begun = begin().await;
    let listening = begun.run(&request(1)).await;
    listening.lose_track(LOST).await.unwrap();
    begun.store.reachable(false);
    assert!(!fails(&begun, &request(1)).await.knows_nothing());
    assert!(fails(&begun, &request(2)).await.knows_nothing());
}

/// Two requests came at once. One of them has read that the key is free, and its claim is on its way; the other one's
/// read fails. Had it passed as a request of which nothing is known, there would have been two effects.
#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_is_claiming_is_known() {
    let begun = begin().await;
    let (before, after) = (Gate::closed(), Gate::closed());
    begun.store.hold_read(&before, &after);
    let asked = request(1);
    let fails = fails(&begun, &asked);
    let claims = async {
        settled().await;
        // The read of the one fails a second before the claim of the other would.
        tokio::time::advance(Options::default().store_wait / 2).await;
        let claim = Gate::closed();
        begun.store.fail(Write::Claim, Fault::Held(claim.clone()), 1);
        let claiming = tokio::spawn(begun.lead(&request(1)).await.claim());
        begun.store.until_met(Write::Claim, 1).await;
        (claim, claiming)
    };
    let (error, (claim, claiming)) = tokio::join!(fails, claims);
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Unavailable, false));
    claim.open();
    assert!(matches!(claiming.await.unwrap(), Ok(Claimed::Attempt(_))));
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_fate_is_unknown_is_known() {
    let begun = begin().await;
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::Unknown));
    let claim = begun.lead(&request(1)).await.claim().await.unwrap_err();
    assert!(!claim.knows_nothing());
    begun.store.reachable(false);
    assert!(!fails(&begun, &request(1)).await.knows_nothing());
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    settled().await;
    assert!(fails(&begun, &request(1)).await.knows_nothing(), "it was released, and is forgotten here");
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_is_still_tried_is_known() {
    let begun = begin().await;
    let attempt = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::NotApplied));
    attempt.complete(CREATED, result("paid")).await.unwrap_err();
    drop(attempt);
    begun.store.reachable(false);
    let look = begun.look(&request(1)).await;
    assert!(!matches!(&look, Err(error) if error.knows_nothing()), "{look:?}");
}

/// The end of the first request was heard of, and only what it means is to be read.
#[tokio::test(start_paused = true)]
async fn whoever_waited_for_a_first_request_knows_that_there_was_one() {
    let begun = std::sync::Arc::new(begin().await);
    let attempt = begun.run(&request(1)).await;
    let waiter = tokio::spawn({
        let begun = std::sync::Arc::clone(&begun);
        async move { begun.wait(&request(1)).await }
    });
    while begun.ledger.waiters() == 0 {
        tokio::task::yield_now().await;
    }
    attempt.release(ReleaseCause::Answered(401), None).await.unwrap();
    begun.store.reachable(false);
    drop(attempt);
    let error = waiter.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Unavailable, false));
}

/// The head was read, the body was not: there is a result.
#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_read_is_known() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (before, after) = (Gate::closed(), Gate::closed());
    begun.store.hold_read(&before, &after);
    let asked = request(1);
    let look = begun.look(&asked);
    let outage = async {
        before.open();
        settled().await;
        begun.store.reachable(false);
        after.open();
    };
    let (look, ()) = tokio::join!(look, outage);
    assert!(!look.unwrap_err().knows_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_bound_and_a_record_of_a_newer_version_are_known() {
    let begun = begin_with(Options { attempts: 1, ..Options::default() }).await;
    let _running = begun.run(&request(1)).await;
    let Ok(Look::Free(leader)) = begun.look(&request(2)).await else { panic!("the key is free") };
    let error = leader.claim().await.unwrap_err();
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Capacity, false));
    let mut newer = begun.store.row(request(1).id).await.unwrap().to_vec();
    newer[0] = 0xff;
    begun.store.plant(request(3).id, Some(newer.into()));
    assert!(!fails(&begun, &request(3)).await.knows_nothing());
}

/// Whoever keeps the connections of a store busy, by replaying large results say, must not have others run unprotected.
#[tokio::test(start_paused = true)]
async fn a_store_with_no_connection_free_is_a_bound_and_known() {
    let begun = begin().await;
    begun.store.busy(true);
    let error = fails(&begun, &request(1)).await;
    assert_eq!((error.kind(), error.knows_nothing()), (ErrorKind::Capacity, false));
    begun.store.busy(false);
    assert!(matches!(begun.look(&request(1)).await, Ok(Look::Free(_))), "it is asked again");
}
