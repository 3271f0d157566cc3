//! F18: futures that are dropped at every await they have.
//!
//! A claim is driven by a task of its own, so what a client's hang-up can drop is a look-up, a wait, or the lead
//! before the claim; and in the server, the call that writes an end. Each is polled n times and dropped, for every n
//! until it is done by then.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use onlyonce_core::{Refusal, record::ReleaseCause};
use onlyonce_ledger::begin::{Claimed, Look, Standing};

use crate::{
    begun::{Begun, CREATED, LONG, LOST, begin, begin_two, refused, replayed, request, result},
    faulty::Write,
};

/// More awaits than any of these futures has.
const MANY: usize = 200;

/// Polls so often, then drops; the output if it was done by then.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn still_works(begun: &Begun) {
    assert_eq!(begun.ledger.waiters(), 0, "its place is free");
    begun.execute(&request(1), "paid").await;
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn f18_a_look_up_dropped_at_any_await_leaves_nothing_behind() {
    for polls in 0..MANY {
        let begun = begin().await;
        let looked = dropped_after(polls, begun.wait(&request(1))).await;
        let done = looked.is_some();
        drop(looked);
        assert_eq!(begun.store.row(request(1).id).await, None);
        still_works(&begun).await;
        if done {
            return;
        }
    }
    panic!("a look-up has an end");
}

#[tokio::test(start_paused = true)]
async fn f18_a_lead_dropped_before_its_claim_goes_to_the_next_who_waits() {
    let begun = begin().await;
    let leader = begun.lead(&request(1)).await;
    let waiter = tokio::spawn({
        let ledger = begun.ledger.clone();
        async move { ledger.look_up(&request(1), LONG).await }
    });
    while begun.ledger.waiters() == 0 {
        tokio::task::yield_now().await;
    }
    drop(leader);
    assert!(matches!(waiter.await.unwrap().unwrap(), Look::Free(_)));
    still_works(&begun).await;
}

#[tokio::test(start_paused = true)]
async fn f18_a_waiter_dropped_at_any_await_never_changes_the_record() {
    for polls in 0..MANY {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        let row = begun.store.row(request(1).id).await;
        let done = dropped_after(polls, begun.wait(&request(1))).await.is_some();
        assert_eq!(begun.store.row(request(1).id).await, row);
        assert_eq!(begun.ledger.waiters(), 0);
        attempt.complete(CREATED, result("paid")).await.unwrap();
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
        if done {
            return;
        }
    }
    panic!("waiting has an end");
}

/// The one thing that a look-up writes.
#[tokio::test(start_paused = true)]
async fn f18_a_look_up_dropped_while_it_writes_a_lapse_leaves_it_written_or_not() {
    for polls in 0..MANY {
        let (one, two) = begin_two().await;
        let attempt = one.run(&request(1)).await;
        two.store.advance(Duration::from_secs(61));
        let done = dropped_after(polls, two.wait(&request(1))).await.is_some();
        let state = two.state(&request(1)).await;
        assert!(["in-progress, fence 1", "unknown, fence 1"].contains(&state.as_str()), "{state}");
        assert_eq!(refused(two.standing(&request(1)).await), Refusal::Unknown);
        attempt.complete(CREATED, result("paid")).await.unwrap();
        if done {
            return;
        }
    }
    panic!("a look-up has an end");
}

/// The first to take over hangs up, at any await between the release and its claim.
#[tokio::test(start_paused = true)]
async fn f18_a_waiter_dropped_while_it_takes_over_leaves_the_key_to_the_next() {
    for polls in 0..MANY {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        let repeat = request(1);
        let mut first = pin!(begun.wait(&repeat));
        assert!(dropped_after(1, first.as_mut()).await.is_none());
        let next = tokio::spawn({
            let ledger = begun.ledger.clone();
            async move { ledger.look_up(&request(1), LONG).await }
        });
        while begun.ledger.waiters() < 2 {
            tokio::task::yield_now().await;
        }
        attempt.release(ReleaseCause::Answered(401), None).await.unwrap();
        let looked = dropped_after(polls, first).await;
        let done = looked.is_some();
        drop(looked);
        match next.await.unwrap().unwrap() {
            Look::Free(leader) => {
                let Claimed::Attempt(attempt) = leader.claim().await.unwrap() else { panic!("it is free") };
                attempt.complete(CREATED, result("paid")).await.unwrap();
            }
            Look::Stands(standing) => panic!("nobody else runs, and not {standing:?}"),
        }
        assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
        if done {
            return;
        }
    }
    panic!("a look-up has an end");
}

/// The task that completes is gone (its runtime ends, its handler panics): the outcome is on record or unknown, never
/// lost and never free.
#[tokio::test(start_paused = true)]
async fn f18_a_completion_dropped_at_any_await_is_written_or_unknown() {
    for polls in 0..MANY {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        let done = dropped_after(polls, attempt.complete(CREATED, result("paid"))).await.is_some();
        drop(attempt);
        begun.over().await;
        match begun.standing(&request(1)).await {
            Standing::Result { result, .. } => assert_eq!(result, "paid"),
            Standing::Refused { refusal: Refusal::Unknown, .. } if !done => {}
            other => panic!("after {polls} polls: {other:?}"),
        }
        assert_eq!(begun.store.met(Write::Release), 0);
        if done {
            return;
        }
    }
    panic!("a completion has an end");
}

#[tokio::test(start_paused = true)]
async fn f18_a_release_dropped_at_any_await_is_written_or_unknown() {
    for polls in 0..MANY {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        let release = attempt.release(ReleaseCause::Answered(429), None);
        let done = dropped_after(polls, release).await.is_some();
        drop(attempt);
        begun.over().await;
        let state = begun.state(&request(1)).await;
        assert!(state == "released, fence 1" || (!done && state == "unknown, fence 1"), "{state}");
        if done {
            return;
        }
    }
    panic!("a release has an end");
}

#[tokio::test(start_paused = true)]
async fn f18_losing_track_dropped_at_any_await_is_unknown_all_the_same() {
    for polls in 0..MANY {
        let begun = begin().await;
        let attempt = begun.run(&request(1)).await;
        let done = dropped_after(polls, attempt.lose_track(LOST)).await.is_some();
        drop(attempt);
        begun.over().await;
        assert_eq!(begun.state(&request(1)).await, "unknown, fence 1");
        if done {
            return;
        }
    }
    panic!("losing track has an end");
}
