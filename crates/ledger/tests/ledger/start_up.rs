//! What a new process finds, and what the engine does by itself.

use std::time::Duration;

use onlyonce_core::{Refusal, State, record::UnknownCause};
use onlyonce_ledger::{ErrorKind, Found, Options, store::ErrorKind as StoreError};

use crate::{
    begun::{Begun, CREATED, LOST, begin, begin_two, open, refused, replayed, request, result},
    faulty::{Fault, Write},
};

const A_MINUTE: Duration = Duration::from_secs(60);

/// The process is gone, and a new one opens its store.
async fn restarted(begun: &Begun) -> (Begun, Found) {
    let (ledger, found) = open(&begun.store, Options::default()).await;
    (Begun { ledger, store: begun.store.clone() }, found)
}

#[tokio::test(start_paused = true)]
async fn what_was_in_progress_is_unknown_before_the_first_request_is_taken() {
    let begun = begin().await;
    let running = begun.run(&request(1)).await;
    begun.execute(&request(2), "paid").await;
    begun.run(&request(3)).await.lose_track(LOST).await.unwrap();
    let _claimed = begun.claim(&request(4)).await;

    let (again, found) = restarted(&begun).await;
    assert_eq!(found, Found { converted: 2, unknown: 3 });
    assert_eq!(again.unknown(), 3);
    let State::Unknown { cause, settle_from, since, .. } = again.record(&request(1)).await.unwrap().state
    else {
        panic!("its process is gone")
    };
    assert_eq!(cause, UnknownCause::ProcessGone);
    assert_eq!(settle_from, since, "settle_after counts from the start: bytes may still be on their way");
    for key in [1, 3, 4] {
        assert_eq!(refused(again.standing(&request(key)).await), Refusal::Unknown);
    }
    assert_eq!(replayed(&again.standing(&request(2)).await), b"paid");
    // It was not gone after all, or its completion was still on its way.
    running.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&again.standing(&request(1)).await), b"paid");
}

/// More than one page of them.
#[tokio::test(start_paused = true)]
async fn a_thousand_open_records_are_all_converted() {
    use onlyonce_core::RecordId;
    use onlyonce_ledger::begin::Request;

    let begun = begin().await;
    let mut attempts = Vec::new();
    for number in 0..1_100_u128 {
        let request = Request { id: RecordId(number.to_be_bytes()), ..request(0) };
        attempts.push(begun.claim(&request).await);
    }
    let (_, found) = restarted(&begun).await;
    assert_eq!(found, Found { converted: 1_100, unknown: 1_100 });
}

#[tokio::test(start_paused = true)]
async fn a_conversion_whose_reply_was_lost_is_done_and_counted_once() {
    let begun = begin().await;
    let _running = begun.run(&request(1)).await;
    begun.store.fail(Write::Unknown, Fault::ReplyLost, 2);
    let (again, found) = restarted(&begun).await;
    assert_eq!((found, again.unknown()), (Found { converted: 1, unknown: 1 }, 1));
    assert_eq!(begun.store.applied(Write::Unknown), 1);
}

/// Better not to serve than to call a record in progress whose process is gone.
#[tokio::test(start_paused = true)]
async fn a_ledger_whose_open_records_cannot_be_converted_is_not_opened() {
    use onlyonce_ledger::{Ledger, identity::Secret};

    let begun = begin().await;
    let _running = begun.run(&request(1)).await;
    begun.store.keep_failing(Write::Unknown, Fault::Refused(StoreError::NotApplied));
    let secret = Secret::new([7; 32]).unwrap();
    Ledger::open(begun.store.store(), &secret, Options::default()).await.unwrap_err();
}

/// Unreadable is never absent, at start-up neither.
#[tokio::test(start_paused = true)]
async fn an_open_record_that_cannot_be_read_stays_where_it_is_and_is_refused() {
    let begun = begin().await;
    let _running = (begun.run(&request(1)).await, begun.run(&request(2)).await);
    let mut row = begun.store.row(request(1).id).await.unwrap().to_vec();
    row[50] ^= 1;
    begun.store.plant(request(1).id, Some(row.clone().into()));
    let (again, found) = restarted(&begun).await;
    assert_eq!(found.converted, 1);
    assert_eq!(again.look(&request(1)).await.unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(begun.store.row(request(1).id).await.unwrap(), row);
}

/// What is in progress in a shared store may well be somebody's.
#[tokio::test(start_paused = true)]
async fn a_shared_store_is_not_converted() {
    let (one, _) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    let (again, found) = restarted(&one).await;
    assert_eq!(found, Found::default());
    assert_eq!(refused(again.standing(&request(1)).await), Refusal::InProgress);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&again.standing(&request(1)).await), b"paid");
}

/// F11: its client never comes back, so nobody looks it up, and people can only settle what is unknown.
#[tokio::test(start_paused = true)]
async fn f11_a_lease_that_nobody_renews_lapses_without_being_asked_for() {
    let (one, two) = begin_two().await;
    let crashed = one.run(&request(1)).await;
    std::mem::forget(crashed);
    drop(one);
    two.store.advance(A_MINUTE + Duration::from_secs(1));
    tokio::time::advance(A_MINUTE).await;
    two.store.until_applied(Write::Unknown, 1).await;
    assert_eq!(two.state(&request(1)).await, "unknown, fence 1");
    assert_eq!(two.unknown(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_this_process_is_never_lapsed_by_it() {
    let begun = begin().await;
    let slow = begun.run(&request(1)).await;
    begun.store.advance(A_MINUTE * 2);
    for _ in 0..300 {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(begun.store.met(Write::Unknown), 0);
    slow.complete(CREATED, result("paid")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_removed_and_the_key_is_a_new_operation() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    begun.run(&request(2)).await.lose_track(LOST).await.unwrap();
    let before = begun.reference(&request(1)).await;
    begun.store.advance(Duration::from_secs(24 * 3600));
    let gone = Refusal::Gone(onlyonce_core::record::TombstoneCause::Expired);
    assert_eq!(refused(begun.standing(&request(1)).await), gone);
    begun.store.advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(begun.state(&request(1)).await, "absent");
    tokio::time::advance(A_MINUTE).await;
    tokio::time::advance(A_MINUTE).await;
    assert_eq!(begun.store.row(request(1).id).await, None, "swept");
    assert!(begun.store.row(request(2).id).await.is_some(), "what is open never expires");
    begun.execute(&request(1), "paid again").await;
    assert_ne!(begun.reference(&request(1)).await, before);
}
