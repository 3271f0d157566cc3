//! An upstream that takes longer than its route allows.

use onlyonce_testbed::{Gate, client::Request, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, begin, said, send, transfer},
};

const SETUP: &str = "deadline = \"200ms\"\nsettle_after = \"60s\"";

/// The caller is told that nobody knows; the attempt goes on listening, and what comes is the result after all.
#[tokio::test]
async fn at_the_deadline_the_outcome_is_unknown_and_a_late_answer_becomes_the_result() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(SETUP)).await;
    let first = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&first, 504, "outcome-unknown");
    assert_eq!((said(&first), &document["next"]), (Some("unknown"), &"poll".into()));
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
    let operation = Request::get(document["operation"].as_str().unwrap());
    assert_eq!(send(gateway.address, &operation).await.json()["state"], "unknown");

    after.open();
    gateway.until("onlyonce_late_outcomes_total", 1).await;
    let told = send(gateway.address, &operation).await.json();
    assert_eq!((&told["state"], &told["status"]), (&"applied".into(), &201.into()));
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((repeat.status, said(&repeat)), (201, Some("replayed")));
    assert_eq!(repeat.json()["effect"].as_str(), upstream.ids("k").first().map(String::as_str));
    assert_eq!(upstream.total(), 1);
}

/// Those who wait learn of the deadline with the first one, not after their own wait.
#[tokio::test]
async fn whoever_waits_is_told_that_the_outcome_is_unknown_when_it_is() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let setup = Setup::anonymous().defaults("deadline = \"500ms\"\nwait = \"60s\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let waiter = send(gateway.address, &transfer("k")).await;
    assert_problem(&waiter, 409, "outcome-unknown");
    assert_problem(&first.await.unwrap(), 504, "outcome-unknown");
    assert_eq!(upstream.arrivals(), 1);
}
