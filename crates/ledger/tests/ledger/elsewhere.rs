//! Duplicates that arrive in one process while the first request runs in another.
//!
//! The clock is paused, so what is said of time is exact.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{RecordId, Refusal, record::ReleaseCause};
use onlyonce_ledger::{
    Error, ErrorKind, Options,
    begin::{Claimed, Look, Request, Standing},
};
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    begun::{
        Begun, CREATED, LONG, LOST, begin_two, begin_two_with, other_body, passes, refused, replayed,
        request, rerunnable, result, settled,
    },
    faulty::Write,
};

/// How often a record is asked for, at first and at last.
const TICK: Duration = Duration::from_millis(50);
const TICK_MAX: Duration = Duration::from_millis(500);
const IDS_MAX: usize = 1_024;

async fn two() -> (Begun, Arc<Begun>) {
    let (one, two) = begin_two().await;
    (one, Arc::new(two))
}

fn waiter_for(begun: &Arc<Begun>, request: Request, wait: Duration) -> JoinHandle<Result<Look, Error>> {
    let begun = Arc::clone(begun);
    tokio::spawn(async move { begun.ledger.look_up(&request, wait).await })
}

/// One that has got as far as waiting.
async fn waiter(begun: &Arc<Begun>, request: Request) -> JoinHandle<Result<Look, Error>> {
    let waiter = waiter_for(begun, request, LONG);
    settled().await;
    waiter
}

async fn stands(waiter: JoinHandle<Result<Look, Error>>) -> Standing {
    match waiter.await.unwrap().unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(_) => panic!("something stands"),
    }
}

fn numbered(number: u16) -> Request {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Request { id: RecordId(id), ..request(0) }
}

/// It used to be refused at once with *in progress*, and clients of two gateways saw what those of one never did.
#[tokio::test(start_paused = true)]
async fn a_repeat_in_another_process_is_served_within_two_ticks_of_the_completion() {
    for (running_for, tick) in [(0, 50), (90, 50), (1_000, 250), (3_000, TICK_MAX.as_millis()), (60_000, 500)]
    {
        let (one, two) = two().await;
        let attempt = one.run(&request(1)).await;
        let duplicate = waiter(&two, request(1)).await;
        assert_eq!(two.ledger.waiters(), 1);
        passes(Duration::from_millis(running_for)).await;
        assert!(!duplicate.is_finished());
        attempt.complete(CREATED, result("paid")).await.unwrap();
        let completed = Instant::now();
        assert_eq!(replayed(&stands(duplicate).await), b"paid");
        let within = 2 * Duration::from_millis(u64::try_from(tick).unwrap());
        assert!(completed.elapsed() <= within, "after {running_for} ms: {:?}", completed.elapsed());
        assert_eq!(two.ledger.waiters(), 0);
    }
}

/// Whoever waits holds no connection, however many they are: all are asked for by one task in one look.
#[tokio::test(start_paused = true)]
async fn all_who_wait_cost_one_look_a_tick_and_their_result_is_read_once() {
    let (one, two) = two().await;
    let mut attempts = Vec::new();
    let mut waiters = Vec::new();
    for key in 1..=20 {
        attempts.push(one.run(&request(key)).await);
        for _ in 0..50 {
            waiters.push(waiter_for(&two, request(key), LONG));
        }
    }
    settled().await;
    assert_eq!(two.ledger.waiters(), 1_000);
    one.store.looks();
    passes(Duration::from_secs(10)).await;
    let looks = one.store.looks();
    assert!((20..=40).contains(&looks.len()), "{} looks in ten seconds", looks.len());
    assert!(looks.iter().all(|records| *records == 20), "{looks:?}");
    for attempt in attempts {
        attempt.complete(CREATED, result("paid")).await.unwrap();
    }
    for waiter in waiters {
        assert_eq!(replayed(&stands(waiter).await), b"paid");
    }
    assert_eq!(one.store.bodies_read(), 20);
    one.store.looks();
    passes(Duration::from_secs(10)).await;
    assert!(one.store.looks().is_empty(), "nobody waits any more");
}

#[tokio::test(start_paused = true)]
async fn a_look_asks_for_so_many_records_and_the_others_have_their_turn() {
    let (one, two) = two().await;
    let mut attempts = Vec::new();
    let mut waiters = Vec::new();
    for number in 0..1_500 {
        attempts.push(one.run(&numbered(number)).await);
        waiters.push(waiter_for(&two, numbered(number), LONG));
    }
    settled().await;
    one.store.looks();
    passes(TICK * 2).await;
    let looks = one.store.looks();
    assert_eq!(looks.first(), Some(&IDS_MAX));
    assert!(looks.iter().all(|records| *records <= IDS_MAX), "{looks:?}");
    for attempt in attempts {
        attempt.complete(CREATED, result("paid")).await.unwrap();
    }
    let completed = Instant::now();
    for waiter in waiters {
        assert_eq!(replayed(&stands(waiter).await), b"paid");
    }
    assert!(completed.elapsed() <= TICK * 4, "{:?}", completed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn each_waits_no_longer_than_he_may() {
    let (one, two) = two().await;
    let _attempt = one.run(&request(1)).await;
    let began = Instant::now();
    let patient = waiter(&two, request(1)).await;
    let hasty = waiter_for(&two, request(1), Duration::from_millis(700));
    assert_eq!(refused(stands(hasty).await), Refusal::InProgress);
    assert_eq!(began.elapsed(), Duration::from_millis(700));
    assert_eq!(
        refused(two.standing(&request(1)).await),
        Refusal::InProgress,
        "who may not wait is told at once"
    );
    assert_eq!(began.elapsed(), Duration::from_millis(700));
    assert!(!patient.is_finished());
    patient.abort();
    passes(TICK_MAX).await;
    one.store.looks();
    passes(TICK_MAX * 4).await;
    assert!(one.store.looks().is_empty(), "it runs on, and nobody here waits for it");
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_waiters_count_those_too_who_wait_for_another_process() {
    let bounds =
        [Options { waiters_per_key: 1, ..Options::default() }, Options { waiters: 1, ..Options::default() }];
    for options in bounds {
        let (one, two) = begin_two_with(options).await;
        let two = Arc::new(two);
        let attempt = one.run(&request(1)).await;
        let first = waiter(&two, request(1)).await;
        assert_eq!(refused(stands(waiter(&two, request(1)).await).await), Refusal::InProgress);
        first.abort();
        settled().await;
        let second = waiter(&two, request(1)).await;
        attempt.complete(CREATED, result("paid")).await.unwrap();
        assert_eq!(replayed(&stands(second).await), b"paid", "who is gone has left his place");
    }
}

/// F06, across processes.
#[tokio::test(start_paused = true)]
async fn f06_another_body_is_a_mismatch_at_once_wherever_the_first_runs() {
    let (one, two) = two().await;
    let attempt = one.run(&request(1)).await;
    let began = Instant::now();
    let loser = waiter(&two, other_body(1)).await;
    assert_eq!(refused(stands(loser).await), Refusal::Mismatch);
    assert_eq!(began.elapsed(), Duration::ZERO);

    // While somebody waits the key is released, and taken for another body.
    let duplicate = waiter(&two, request(1)).await;
    attempt.release(ReleaseCause::Answered(401), None).await.unwrap();
    let _other = one.run(&other_body(1)).await;
    assert_eq!(refused(stands(duplicate).await), Refusal::Mismatch);
}

/// A process that had seen the key taken by one body told the owner of the next one that it was another's, because that was
/// what it remembered.
#[tokio::test(start_paused = true)]
async fn what_was_true_before_he_came_is_not_held_against_a_waiter() {
    let (one, two) = two().await;
    let attempt = one.run(&other_body(1)).await;
    let remembered = waiter(&two, other_body(1)).await;
    attempt.release(ReleaseCause::Answered(401), None).await.unwrap();
    let corrected = one.run(&request(1)).await;
    // Before the first tick, so that nobody has told this process.
    let duplicate = waiter(&two, request(1)).await;
    assert!(!duplicate.is_finished());
    assert_eq!(refused(stands(remembered).await), Refusal::Mismatch);
    corrected.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&stands(duplicate).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_for_a_key_that_is_released_one_runs_and_the_others_wait_for_him() {
    let (one, two) = two().await;
    let attempt = one.run(&request(1)).await;
    let waiters: Vec<_> = (0..10).map(|_| waiter_for(&two, request(1), LONG)).collect();
    settled().await;
    one.store.looks();
    attempt.release(ReleaseCause::Answered(503), None).await.unwrap();
    passes(TICK * 2).await;
    assert_eq!(one.store.looks().iter().sum::<usize>(), 1, "they claim what was read for all of them");
    let mut waiting = Vec::new();
    let mut leader = None;
    for waiter in waiters {
        match waiter.is_finished() {
            false => waiting.push(waiter),
            true => match waiter.await.unwrap().unwrap() {
                Look::Free(lead) => assert!(leader.replace(lead).is_none(), "one of them"),
                Look::Stands(standing) => panic!("{standing:?}"),
            },
        }
    }
    let Claimed::Attempt(second) = leader.unwrap().claim().await.unwrap() else { panic!("it is free") };
    assert_eq!(second.fence().0, 2);
    second.start().await.unwrap();
    second.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(waiting.len(), 9);
    for waiter in waiting {
        assert_eq!(replayed(&stands(waiter).await), b"paid");
    }
}

/// Two processes find nothing, and both claim: the slower one is as much of a repeat as who comes a moment later.
#[tokio::test(start_paused = true)]
async fn who_loses_a_race_for_the_claim_waits_like_any_other() {
    let (one, two) = two().await;
    let Ok(Look::Free(slower)) = two.wait(&request(1)).await else { panic!("nothing stands") };
    let attempt = one.run(&request(1)).await;
    let claim = tokio::spawn(slower.claim());
    settled().await;
    assert!(!claim.is_finished());
    assert_eq!((two.ledger.attempts(), two.ledger.waiters()), (0, 1));
    attempt.complete(CREATED, result("paid")).await.unwrap();
    let Claimed::Stands(standing) = claim.await.unwrap().unwrap() else { panic!("it was run already") };
    assert_eq!(replayed(&standing), b"paid");

    // And runs it, if the faster one gives it up.
    let Ok(Look::Free(slower)) = two.wait(&request(2)).await else { panic!("nothing stands") };
    let attempt = one.run(&request(2)).await;
    let claim = tokio::spawn(slower.claim());
    settled().await;
    attempt.release(ReleaseCause::NotSent, None).await.unwrap();
    let Claimed::Attempt(second) = claim.await.unwrap().unwrap() else { panic!("the key is free") };
    assert_eq!(second.fence().0, 2);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_lost_elsewhere_is_unknown_to_those_who_wait() {
    let (one, two) = two().await;
    let attempt = one.run(&request(1)).await;
    let duplicate = waiter(&two, request(1)).await;
    attempt.lose_track(LOST).await.unwrap();
    assert_eq!(refused(stands(duplicate).await), Refusal::Unknown);
}

/// The lapse of the lease is written once, and nobody is told *unknown* before.
#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_process_that_died_learn_of_the_lapse_once_it_is_written() {
    let (one, two) = two().await;
    let waiters = |request: fn(u8) -> Request, key| -> Vec<_> {
        (0..10).map(|_| waiter_for(&two, request(key), LONG)).collect()
    };
    for (key, request) in [(1, request as fn(u8) -> Request), (2, rerunnable)] {
        std::mem::forget(one.run(&request(key)).await);
        let waiters = waiters(request, key);
        settled().await;
        one.store.advance(Duration::from_secs(61));
        for waiter in waiters {
            assert_eq!(refused(stands(waiter).await), Refusal::Unknown, "also before settle_after is over");
        }
        assert_eq!(two.state(&request(key)).await, "unknown, fence 1");
        assert_eq!(one.store.met(Write::Unknown), usize::from(key), "by one of them for all");
    }
}

#[tokio::test(start_paused = true)]
async fn looks_that_fail_are_made_again() {
    let (one, two) = two().await;
    let attempt = one.run(&request(1)).await;
    let (patient, hasty) =
        (waiter(&two, request(1)).await, waiter_for(&two, request(1), Duration::from_secs(2)));
    settled().await;
    one.store.reachable(false);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(refused(stands(hasty).await), Refusal::InProgress, "which is what he knew");
    assert!(!patient.is_finished());
    one.store.reachable(true);
    assert_eq!(replayed(&stands(patient).await), b"paid");
}

/// Unreadable is never absent: written by a newer version, or damaged.
#[tokio::test(start_paused = true)]
async fn a_record_that_becomes_unreadable_elsewhere_is_an_error_for_those_who_wait() {
    for (at, kind) in [(0, ErrorKind::Unavailable), (60, ErrorKind::Damaged)] {
        let (one, two) = two().await;
        let _attempt = one.run(&request(1)).await;
        let duplicate = waiter(&two, request(1)).await;
        let mut row = one.store.row(request(1).id).await.unwrap().to_vec();
        row[at] ^= 0x40;
        one.store.plant(request(1).id, Some(row.into()));
        assert_eq!(duplicate.await.unwrap().unwrap_err().kind(), kind);
    }
}
