//! Leases, by the real clock: an attempt judges them by one that counts suspension and cannot be paused.
//!
//! Nothing sleeps. What has to take time is measured in renewals, of which there is at most one in a third of a lease,
//! or in the ledger's own time.

use std::time::Duration;

use onlyonce_core::{Policy, Refusal, Timestamp, record::ReleaseCause};
use onlyonce_ledger::{Attempt, begin::Request, clock::Boot, store::ErrorKind as StoreError};

use crate::{
    begun::{Begun, CREATED, begin, begin_two, refused, replayed, request, result},
    faulty::{Fault, Met, Write},
};

const LEASE: Duration = Duration::from_millis(150);

fn leased(key: u8, lease: Duration) -> Request {
    let request = request(key);
    Request { policy: Policy { lease, ..request.policy }, ..request }
}

fn bounded(key: u8, lease: Duration, deadline: Duration) -> Request {
    let request = leased(key, lease);
    Request { policy: Policy { deadline, ..request.policy }, ..request }
}

/// Past its deadline from the beginning, so that nobody renews its lease but [`Attempt::start`].
fn overdue(key: u8, lease: Duration) -> Request {
    bounded(key, lease, Duration::ZERO)
}

/// Until the ledger's clock shows that.
async fn clock_shows(begun: &Begun, time: Timestamp) {
    while begun.ledger.now() < time {
        tokio::task::yield_now().await;
    }
}

/// Until less than a third of a lease that began now is left.
async fn nearly_over(begun: &Begun, lease: Duration) {
    clock_shows(begun, begun.ledger.now().plus(lease * 3 / 4)).await;
}

fn renewals_of(request: &Request) -> impl Fn(&[Met]) -> usize {
    let id = request.id;
    move |log| log.iter().filter(|met| met.write == Write::Renew && met.id == id).count()
}

async fn until_renewed(begun: &Begun, request: &Request, times: usize) {
    let renewals = renewals_of(request);
    begun.store.until(&format!("{times} renewals"), |log| renewals(log) >= times).await;
}

/// F13: the lock's time-to-live was the request's timeout and was not renewed, so a slow upstream was run twice.
#[tokio::test]
async fn f13_an_attempt_of_three_leases_keeps_its_claim() {
    let begun = begin().await;
    let slow = leased(1, LEASE);
    let attempt = begun.run(&slow).await;
    until_renewed(&begun, &slow, 9).await;
    assert_eq!(refused(begun.standing(&slow).await), Refusal::InProgress);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(begun.state(&slow).await, "completed, fence 1");
    assert_eq!((begun.store.met(Write::Claim), begun.store.met(Write::Unknown)), (1, 0));
    assert_eq!(begun.ledger.late_outcomes(), 0);
}

/// F25, for a renewal.
#[tokio::test]
async fn f25_a_renewal_whose_reply_was_lost_is_recognised() {
    let begun = begin().await;
    let slow = leased(1, LEASE);
    let attempt = begun.run(&slow).await;
    begun.store.fail(Write::Renew, Fault::ReplyLost, 2);
    until_renewed(&begun, &slow, 5).await;
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(begun.state(&slow).await, "completed, fence 1");
}

/// An upstream that never answers must not keep its key for ever.
#[tokio::test]
async fn past_its_deadline_a_lease_is_not_renewed() {
    let begun = begin().await;
    let (late, slow) = (overdue(1, LEASE), leased(2, LEASE));
    let _attempts = (begun.run(&late).await, begun.run(&slow).await);
    until_renewed(&begun, &slow, 5).await;
    assert_eq!(renewals_of(&late)(&begun.store.log()), 0);
}

/// An owner starts only inside its lease.
#[tokio::test]
async fn a_start_with_less_than_a_third_left_renews_first() {
    let begun = begin().await;
    let fresh = begun.claim(&overdue(1, Duration::from_secs(60))).await;
    fresh.start().await.unwrap();
    assert_eq!(begun.store.met(Write::Renew), 0, "there is time enough");
    let stale = begun.claim(&overdue(2, LEASE)).await;
    nearly_over(&begun, LEASE).await;
    stale.start().await.unwrap();
    assert_eq!(begun.store.applied(Write::Renew), 1);
}

/// By a server's clock that is known to a second, a lease of a minute is certain for 59 seconds: the others judge it by
/// that clock, and by what was written from here.
#[tokio::test]
async fn a_lease_is_believed_in_for_no_longer_than_is_certain_by_the_stores_clock() {
    let begun = begin().await;
    let (minute, second) = (Duration::from_secs(60), Duration::from_secs(1));
    begun.store.lag_by(second);
    let before = Boot::now();
    let until = begun.claim(&bounded(1, minute, minute * 2)).await.start().await.unwrap();
    assert!((before.plus(minute - second)..=Boot::now().plus(minute - second)).contains(&until));

    begun.store.lag_by(minute * 3 / 4);
    let uncertain = begun.claim(&leased(2, minute)).await;
    uncertain.start().await.unwrap_err();
    assert!(begun.store.met(Write::Renew) > 0, "a renewal makes it no more certain");
}

/// The first byte may be written by somebody else, later: he is told how late.
#[tokio::test]
async fn a_start_says_until_when_its_first_byte_may_go() {
    let begun = begin().await;
    let (hour, before) = (Duration::from_secs(3600), Boot::now());
    let until = begun.claim(&leased(1, hour)).await.start().await.unwrap();
    let deadline = request(1).policy.deadline;
    assert!(
        (before.plus(deadline)..=Boot::now().plus(deadline)).contains(&until),
        "the deadline ends before"
    );
    let short = leased(2, LEASE);
    let attempt = begun.claim(&short).await;
    let first = attempt.start().await.unwrap();
    assert!((before.plus(LEASE)..=Boot::now().plus(LEASE)).contains(&first), "the lease ends before");
    until_renewed(&begun, &short, 2).await;
    assert!(attempt.start().await.unwrap() > first, "and is renewed");
}

#[tokio::test]
async fn without_a_confirmed_renewal_it_does_not_start() {
    for fault in [StoreError::NotApplied, StoreError::Unknown, StoreError::Content] {
        let begun = begin().await;
        let stale = begun.claim(&overdue(1, LEASE)).await;
        nearly_over(&begun, LEASE).await;
        begun.store.keep_failing(Write::Renew, Fault::Refused(fault));
        stale.start().await.unwrap_err();
        assert!(begun.store.met(Write::Renew) > 0);
        stale.release(ReleaseCause::NotStarted, None).await.unwrap();
        begun.execute(&request(1), "paid").await;
    }
}

/// The lease was confirmed, but it took longer than the lease.
#[tokio::test]
async fn a_claim_that_is_acknowledged_after_its_lease_is_renewed_before_it_starts() {
    use crate::faulty::Gate;

    let begun = begin().await;
    let gate = Gate::closed();
    begun.store.fail(Write::Claim, Fault::Held(gate.clone()), 1);
    let leader = begun.lead(&overdue(1, LEASE)).await;
    let claim = tokio::spawn(leader.claim());
    begun.store.until_met(Write::Claim, 1).await;
    clock_shows(&begun, begun.ledger.now().plus(LEASE)).await;
    gate.open();
    let Ok(onlyonce_ledger::begin::Claimed::Attempt(attempt)) = claim.await.unwrap() else {
        panic!("it was granted");
    };
    attempt.start().await.unwrap();
    assert_eq!(begun.store.applied(Write::Renew), 1);
}

#[tokio::test]
async fn an_attempt_whose_record_has_moved_on_does_not_start() {
    let (one, two) = begin_two().await;
    let stale = one.claim(&overdue(1, LEASE)).await;
    nearly_over(&one, LEASE).await;
    two.store.advance(LEASE);
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
    stale.start().await.unwrap_err();
    stale.release(ReleaseCause::NotStarted, None).await.unwrap();
    two.execute(&request(1), "paid").await;
}

/// F26: heartbeat errors were swallowed, and the outcome was written as if the lease held. Here they decide
/// nothing: the compare-and-set alone does. (Refused after a successor: `late`, F14.)
#[tokio::test]
async fn f26_a_heartbeat_that_fails_decides_nothing_and_the_compare_and_set_everything() {
    let begun = begin().await;
    let slow = leased(1, LEASE);
    let attempt: Attempt = begun.run(&slow).await;
    begun.store.keep_failing(Write::Renew, Fault::Refused(StoreError::Unknown));
    clock_shows(&begun, begun.ledger.now().plus(LEASE * 2)).await;
    assert!(begun.store.met(Write::Renew) > 0 && begun.store.applied(Write::Renew) == 0);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&begun.standing(&slow).await), b"paid");
    assert_eq!(begun.ledger.late_outcomes(), 0, "nobody had given it up");
}

/// A renewal that failed is tried again at the next turn.
#[tokio::test]
async fn a_lease_is_renewed_again_once_the_store_is_back() {
    let begun = begin().await;
    let slow = leased(1, LEASE);
    let _attempt = begun.run(&slow).await;
    begun.store.keep_failing(Write::Renew, Fault::Refused(StoreError::NotApplied));
    until_renewed(&begun, &slow, 3).await;
    begun.store.heal();
    begun.store.until_applied(Write::Renew, 2).await;
}

/// One attempt's command that the store does not take used to hold up the renewals of all others, until their leases
/// were over too.
#[tokio::test]
async fn an_attempt_whose_end_hangs_does_not_cost_the_others_their_leases() {
    let begun = begin().await;
    let (stuck, slow) = (leased(1, LEASE), leased(2, LEASE));
    let (first, _second) = (begun.run(&stuck).await, begun.run(&slow).await);
    begun.store.keep_failing(Write::Complete, Fault::Refused(StoreError::Unknown));
    let completion = tokio::spawn(async move { first.complete(CREATED, result("paid")).await });
    begun.store.until_met(Write::Complete, 1).await;
    let before = renewals_of(&slow)(&begun.store.log());
    until_renewed(&begun, &slow, before + 5).await;
    assert!(!completion.is_finished(), "it was still being tried all the while");
}

/// A record that refuses a renewal has moved on for good: asking again and again would only fill the log.
#[tokio::test]
async fn a_renewal_that_the_record_refuses_is_not_repeated() {
    let (one, two) = begin_two().await;
    let (lost, slow) = (leased(1, LEASE), leased(2, LEASE * 2));
    let _attempts = (one.run(&lost).await, one.run(&slow).await);
    two.store.advance(LEASE);
    assert_eq!(refused(two.standing(&lost).await), Refusal::Unknown);
    let before = renewals_of(&lost)(&one.store.log());
    until_renewed(&one, &slow, 4).await;
    assert!(renewals_of(&lost)(&one.store.log()) <= before + 1);
}
