//! Routes whose upstream deduplicates on `Idempotency-Operation`: an unknown is run again instead of being held.

use std::time::Duration;

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::Response,
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

const SETUP: &str = "on_unknown = \"rerun\"\nsettle_after = \"300ms\"";

/// Sends the same request until it is not told to wait any more.
async fn once_it_may_run(gateway: &Gateway) -> Response {
    let sent = async {
        loop {
            let answer = send(gateway.address, &transfer("k")).await;
            if answer.header("retry-after").is_none() {
                return answer;
            }
            let document = assert_problem(&answer, 409, "outcome-unknown");
            assert_eq!((&document["next"], &document["retryable"]), (&"same-key".into(), &true.into()));
            // bounded: by WAIT_LIMIT, below
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, sent).await.expect("it may run after settle_after")
}

/// An upstream that gives these statuses, one for each attempt, and the last one ever after.
async fn answering(statuses: &'static [u16]) -> Upstream {
    Upstream::start(move |arrival| async move {
        let attempt = arrival.effects().arrivals().min(statuses.len());
        Answer::new(statuses[attempt - 1])
    })
    .await
}

#[tokio::test]
async fn an_unknown_runs_again_under_the_same_name_and_not_before_the_first_one_must_be_over() {
    let upstream = answering(&[504, 201]).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(SETUP)).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
    let second = once_it_may_run(&gateway).await;
    assert_executed(&second, 201);
    assert_replays(&send(gateway.address, &transfer("k")).await, &second);
    let seen = upstream.seen();
    assert_eq!((seen.len(), seen[0].operation()), (2, seen[1].operation()));
    assert_eq!(seen[1].header("idempotency-attempt"), Some("2"));
}

/// By a 409 or a 429 such an upstream says that it is still at the first one. Neither is the answer, and neither frees
/// the key, as it would for a first attempt.
#[tokio::test]
async fn an_answer_that_puts_a_re_run_off_neither_settles_it_nor_frees_the_key() {
    let upstream = answering(&[504, 409, 429, 403, 201]).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(SETUP)).await;
    send(gateway.address, &transfer("k")).await;
    for status in [409, 429, 403] {
        let answer = once_it_may_run(&gateway).await;
        assert_eq!((answer.status, said(&answer)), (status, Some("unknown")));
    }
    assert_executed(&once_it_may_run(&gateway).await, 201);
    let operations: Vec<_> = upstream.seen().iter().map(|seen| seen.operation()).collect();
    assert!(operations.iter().all(|operation| *operation == operations[0]), "{operations:?}");
}
