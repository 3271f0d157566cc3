//! Everything that queues or grows has a bound, and reaching one never costs an attempt its end.

use onlyonce_core::{Refusal, record::ReleaseCause};
use onlyonce_ledger::{
    ErrorKind, Options,
    begin::Request,
    store::{BATCH_BYTES, BATCH_COMMANDS, ErrorKind as StoreError},
};

use crate::{
    begun::{Begun, CREATED, LOST, begin, begin_with, refused, replayed, request, rerunnable, result},
    faulty::{Fault, Write},
};

/// The key is free, and the claim is refused for lack of room.
async fn no_room(begun: &Begun, request: &Request) {
    let error = begun.lead(request).await.claim().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity, "{error}");
}

#[tokio::test(start_paused = true)]
async fn attempts_in_flight_are_bounded_and_end_all_the_same() {
    let begun = begin_with(Options { attempts: 2, ..Options::default() }).await;
    let (first, second) = (begun.run(&request(1)).await, begun.run(&request(2)).await);
    no_room(&begun, &request(3)).await;
    assert_eq!(begun.state(&request(3)).await, "absent", "nothing was written for it");
    first.complete(CREATED, result("paid")).await.unwrap();
    drop(first);
    let third = begun.run(&request(3)).await;
    no_room(&begun, &request(4)).await;
    second.release(ReleaseCause::NotSent, None).await.unwrap();
    third.lose_track(LOST).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid", "replays need no room");
}

/// The documented bounds that the ledger keeps.
#[test]
fn the_bounds_are_the_contracts() {
    let Options { attempts, attempts_per_owner, waiters_per_key, waiters, unknowns_per_route, .. } =
        Options::default();
    assert_eq!((attempts, attempts_per_owner), (4_096, 256));
    assert_eq!((waiters_per_key, waiters, unknowns_per_route), (10_000, 20_000, 10_000));
    assert_eq!((BATCH_COMMANDS, BATCH_BYTES), (512, 4 << 20));
}

/// One caller who has many requests under way must leave room for the others.
#[tokio::test(start_paused = true)]
async fn attempts_in_flight_of_one_principal_are_bounded_and_others_find_room() {
    let begun = begin_with(Options { attempts_per_owner: 2, ..Options::default() }).await;
    let of_one = |key| Request { one_of_many: true, ..request(key) };
    let (first, second) = (begun.run(&of_one(1)).await, begun.run(&of_one(2)).await);
    no_room(&begun, &of_one(3)).await;
    assert_eq!(begun.state(&request(3)).await, "absent", "nothing was written for it");
    let other = Request { owner: onlyonce_core::Owner([2; 16]), ..of_one(4) };
    begun.execute(&other, "paid").await;
    begun.execute(&request(5), "where everybody is the same there is no share").await;
    first.complete(CREATED, result("paid")).await.unwrap();
    begun.execute(&of_one(3), "paid").await;
    second.release(ReleaseCause::NotSent, None).await.unwrap();
}

/// An endpoint that hangs for minutes must not lock out every other: who only listens for a late answer holds no place,
/// and its answer still counts.
#[tokio::test(start_paused = true)]
async fn who_only_listens_for_a_late_answer_holds_no_place() {
    let begun = begin_with(Options { attempts: 1, ..Options::default() }).await;
    let listening = begun.run(&request(1)).await;
    no_room(&begun, &request(2)).await;
    listening.lose_track(LOST).await.unwrap();
    begun.execute(&request(2), "paid").await;
    listening.complete(CREATED, result("late")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"late");
}

/// A clock was a month ahead at the start and was put right: results looked forgotten, and their requests ran again.
#[tokio::test(start_paused = true)]
async fn while_the_clock_is_in_doubt_a_result_is_not_forgotten() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    begun.store.advance(std::time::Duration::from_secs(30 * 24 * 3600));
    begun.store.doubt_the_clock(true);
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
    begun.store.doubt_the_clock(false);
    assert_eq!(begun.state(&request(1)).await, "absent", "time that has really passed counts");
}

/// A claim in doubt keeps its place until the store has said what became of it.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_given_up_counts_until_it_is_released() {
    let begun = begin_with(Options { attempts: 1, ..Options::default() }).await;
    begun.store.keep_failing(Write::Claim, Fault::Refused(StoreError::Unknown));
    begun.lead(&request(1)).await.claim().await.unwrap_err();
    no_room(&begun, &request(2)).await;
    begun.store.heal();
    begun.store.until_applied(Write::Release, 1).await;
    tokio::task::yield_now().await;
    begun.execute(&request(2), "paid").await;
}

/// Completions had no room, and everything in flight became unknown.
#[tokio::test(start_paused = true)]
async fn a_full_store_admits_no_claims_and_every_end() {
    let begun = begin().await;
    let (first, second, third) =
        (begun.run(&request(1)).await, begun.run(&request(2)).await, begun.run(&request(3)).await);
    begun.store.full(true);
    no_room(&begun, &request(4)).await;
    first.complete(CREATED, result("paid")).await.unwrap();
    second.release(ReleaseCause::NotSent, None).await.unwrap();
    third.lose_track(LOST).await.unwrap();
    begun.store.full(false);
    begun.execute(&request(4), "paid").await;
}

/// People have to settle every unknown; a route that makes them without end must not bury them or the other routes.
#[tokio::test(start_paused = true)]
async fn unknowns_bound_the_new_claims_of_their_route_and_of_no_other() {
    let begun = begin_with(Options { unknowns_per_route: 1, ..Options::default() }).await;
    let lost = begun.run(&rerunnable(1)).await;
    lost.lose_track(LOST).await.unwrap();
    no_room(&begun, &request(2)).await;
    let elsewhere = Request { route: "POST /refunds".to_owned(), ..request(3) };
    begun.execute(&elsewhere, "refunded").await;
    assert_eq!(refused(begun.standing(&rerunnable(1)).await), Refusal::Unknown);
    begun.store.advance(std::time::Duration::from_secs(121));
    begun.execute(&rerunnable(1), "a re-run ends an unknown, and makes none").await;
    begun.execute(&request(2), "paid").await;
}

/// Found by a hundred repeats that saw one lapse: each counted it, and a route was full of unknowns that were not there.
#[tokio::test(start_paused = true)]
async fn unknowns_never_fill_a_route_by_being_seen() {
    let begun = begin_with(Options { unknowns_per_route: 2, ..Options::default() }).await;
    let lost = begun.run(&request(1)).await;
    begun.store.fail(Write::Unknown, Fault::ReplyLost, 3);
    lost.lose_track(LOST).await.unwrap();
    lost.lose_track(LOST).await.unwrap();
    for _ in 0..10 {
        assert_eq!(refused(begun.standing(&request(1)).await), Refusal::Unknown);
    }
    assert_eq!(begun.unknown(), 1);
    begun.execute(&request(2), "paid").await;
}

/// A route that was renamed between a claim and its re-run.
#[tokio::test(start_paused = true)]
async fn a_re_run_under_another_route_counts_where_the_unknown_was() {
    let begun = begin().await;
    let lost = begun.run(&rerunnable(1)).await;
    lost.lose_track(LOST).await.unwrap();
    begun.store.advance(std::time::Duration::from_secs(121));
    let renamed = Request { route: "POST /v2/transfers".to_owned(), ..rerunnable(1) };
    begun.execute(&renamed, "paid").await;
    assert_eq!(begun.unknown(), 0);
}
