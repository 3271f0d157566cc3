//! What a refusal says happened is what happened, and no more.

use onlyonce_testbed::{
    client::{Request, Response},
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, said, send, transfer},
};

#[track_caller]
fn detail(answer: &Response) -> String {
    answer.json()["detail"].as_str().expect("a refusal says what happened").to_owned()
}

/// An earlier attempt is unknown, so the key is not free, although this one sent nothing.
#[tokio::test]
async fn a_re_run_that_reaches_nobody_does_not_call_the_key_free() {
    let upstream = Upstream::start(|_| async { Answer::new(504) }).await;
    let setup = Setup::anonymous().defaults("on_unknown = \"rerun\"\nsettle_after = \"1ms\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    send(gateway.address, &transfer("k")).await;
    upstream.stop().await;
    let answer = loop {
        let answer = send(gateway.address, &transfer("k")).await;
        if answer.status != 409 {
            break answer;
        }
        // bounded: by settle_after
    };
    assert_problem(&answer, 502, "outcome-unknown");
    assert_eq!(said(&answer), Some("unknown"));
    assert!(detail(&answer).contains("nothing was sent this time"), "{}", detail(&answer));
    assert!(!detail(&answer).contains("free"), "{}", detail(&answer));
}

/// A 500 says nothing about the effect, so neither does what stands for it.
#[tokio::test]
async fn only_an_answer_below_400_says_that_the_operation_took_place() {
    let upstream = Upstream::start(|arrival| async move {
        let status = arrival.seen.path.trim_start_matches('/').parse().expect("a path that is a status");
        Answer::new(status).body("more than ten bytes")
    })
    .await;
    let setup = Setup::anonymous().defaults("answer_limit = \"10B\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for (status, took_place) in [(201, true), (404, false), (500, false)] {
        let request = Request::post(format!("/{status}")).key(format!("k-{status}"));
        send(gateway.address, &request).await;
        let repeat = send(gateway.address, &request).await;
        let document = assert_problem(&repeat, 409, "result-unavailable");
        assert_eq!(detail(&repeat).contains("took place"), took_place, "{document:#}");
        assert!(detail(&repeat).contains(&format!("answered with status {status}")), "{document:#}");
        assert!(!document["title"].as_str().unwrap().contains("done"), "{document:#}");
    }
}
