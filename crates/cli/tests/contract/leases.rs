//! How long a claim holds: not as long as its result, not shorter than its work, and never after somebody else's.

use std::time::Duration;

use onlyonce_testbed::{
    Gate, WAIT_LIMIT,
    client::{self, Request},
    effects::Upstream,
    hostile::{Behaviour, Hostile},
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, begin, send, transfer},
};

/// For how long a gateway stands still that is to miss its lease or deadline.
#[cfg(feature = "fault-points")]
const STILL: Duration = Duration::from_millis(1200);

/// A gateway that dies between the effect and its record, and the refusal that a repeat gets from the next one.
async fn crashed(upstream: &Upstream, after: &Gate) -> (Gateway, serde_json::Value) {
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let address = gateway.address;
    let first = tokio::spawn(async move { client::send(address, &transfer("k")).await });
    after.arrived(1).await;
    gateway.crash_and_restart().await;
    assert!(first.await.unwrap().is_err(), "the first caller got no answer");
    let repeat = send(gateway.address, &transfer("k")).await;
    let refusal = assert_problem(&repeat, 409, "outcome-unknown");
    (gateway, refusal)
}

/// A lock that lives as long as a result keeps a key in progress for a day after a crash, and nobody can end that. Here
/// the crash is an unknown at once, and whoever looks into the upstream's books ends it.
#[tokio::test]
async fn f11_what_a_crash_left_behind_is_settled_as_applied() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let (gateway, refusal) = crashed(&upstream, &after).await;
    let reference = refusal["operation_ref"].as_str().unwrap();
    let applied = json!({ "as": "applied", "status": 201, "state": "unknown", "fence": 1, "reason": "row 1", "by": "ana" });
    assert_eq!(gateway.settle(reference, &applied).await.status, 200);
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((repeat.status, repeat.header("idempotency-settled")), (201, Some("operator")));
    assert_eq!(repeat.header("idempotency-status"), Some("replayed"));
    assert_eq!(upstream.executions("k"), 1);
}

#[tokio::test]
async fn f11_what_a_crash_left_behind_is_settled_as_not_applied_and_runs_again() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let (gateway, refusal) = crashed(&upstream, &after).await;
    let reference = refusal["operation_ref"].as_str().unwrap();
    let settle = |force, fence| json!({ "as": "not-applied", "force": force, "state": "unknown", "fence": fence, "reason": "rolled back", "by": "ana" });
    assert_eq!(
        gateway.settle(reference, &settle(false, 1)).await.status,
        409,
        "nobody knows how long to wait"
    );
    assert_eq!(gateway.settle(reference, &settle(true, 2)).await.status, 409, "that is not what he saw");
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
    assert_eq!(gateway.settle(reference, &settle(true, 1)).await.status, 200);
    after.open();
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    let attempts: Vec<_> =
        upstream.seen().iter().map(|seen| seen.header("idempotency-attempt").map(str::to_owned)).collect();
    assert_eq!(attempts, [Some("1".to_owned()), Some("2".to_owned())]);
}

/// The same without a crash, and worse: a lock without any end. An upstream that never answers holds its key until the
/// deadline; then it can be settled.
#[tokio::test]
async fn f12_an_upstream_that_never_answers_holds_its_key_until_the_deadline_and_no_longer() {
    let upstream = Hostile::start(Behaviour::Hangs).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("deadline = \"200ms\"")).await;
    let first = send(gateway.address, &transfer("k")).await;
    assert_problem(&first, 504, "outcome-unknown");
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_problem(&repeat, 409, "outcome-unknown");
    assert_eq!(upstream.executions("k"), 1);
}

/// A lock that expires when the time-out of the request does, and that nobody renews, lets the repeat of a slow request
/// run beside it. The repeat here is refused after a wait of more than three leases.
#[tokio::test]
async fn f13_a_handler_three_leases_long_has_one_effect() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let setup = Setup::anonymous().defaults("lease = \"200ms\"\nwait = \"700ms\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_problem(&repeat, 409, "in-progress");
    after.open();
    let first = first.await.unwrap();
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
    assert_eq!(upstream.arrivals(), 1);
}

/// And it is the lease that holds, not only this process's memory of who runs.
#[tokio::test]
async fn f13_the_lease_on_record_moves_on_for_as_long_as_the_handler_works() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("lease = \"1s\"")).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    let path = format!("/api/v1/records/{}", upstream.seen()[0].operation().unwrap());
    let lease = async || gateway.ask(&Request::get(&path)).await.json()["operation"]["lease_until"].clone();
    let claimed = lease().await;
    let moved = async {
        while lease().await == claimed {
            // bounded: by WAIT_LIMIT, below
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(WAIT_LIMIT, moved).await.is_ok(), "still {claimed}");
    after.open();
    assert_executed(&first.await.unwrap(), 201);
}

/// The same when nobody could renew: the whole process stood still for longer than its lease. While nobody else has
/// taken the record, what it brings is the result.
#[tokio::test]
async fn f13_a_gateway_that_stood_still_for_longer_than_its_lease_keeps_its_result() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("lease = \"100ms\"")).await;
    let first = begin(gateway.address, &transfer("k"));
    after.arrived(1).await;
    gateway.process.sigstop().await;
    after.open();
    let repeat = begin(gateway.address, &transfer("k"));
    // bounded: two leases, in which the process does nothing
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.process.sigcont().unwrap();
    let first = first.await.unwrap();
    assert_executed(&first, 201);
    assert_replays(&repeat.await.unwrap(), &first);
    assert_eq!(upstream.arrivals(), 1);
}

/// A gateway that stands still for [`STILL`], with a keyed request between its start and its first byte; and what that
/// request was answered.
#[cfg(feature = "fault-points")]
async fn stood_still_before_its_first_byte(
    upstream: &Upstream,
    defaults: &str,
    used: bool,
) -> (Gateway, client::Response) {
    let setup = Setup::anonymous().defaults(defaults).argument("--fault").argument("started-sent");
    let gateway = Gateway::start(&upstream.url(), setup.top("upstream_idle = \"60s\"")).await;
    if used {
        assert_eq!(send(gateway.address, &Request::post("/warm-up")).await.status, 201);
    }
    let first = begin(gateway.address, &transfer("k"));
    gateway.process.ready("parked started-sent 1").await;
    gateway.process.sigstop().await;
    // bounded: by STILL, in which the process does nothing
    tokio::time::sleep(STILL).await;
    gateway.process.sigcont().unwrap();
    let first = first.await.unwrap();
    (gateway, first)
}

/// A lease that was confirmed before the process stood still says nothing about now: by the time of its first byte the
/// key may be free, and be another's. Here nothing is sent, which is certain, so the key is free.
#[cfg(feature = "fault-points")]
#[tokio::test]
async fn an_attempt_that_stood_still_before_its_first_byte_for_longer_than_its_lease_sends_nothing() {
    let upstream = Upstream::counting().await;
    let (gateway, first) = stood_still_before_its_first_byte(&upstream, "lease = \"500ms\"", false).await;
    assert_problem(&first, 502, "upstream-unreachable");
    assert_eq!(first.header("idempotency-status"), Some("released"));
    assert_eq!(upstream.arrivals(), 0);
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    assert_eq!(upstream.executions("k"), 1);
}

/// Where the connection has served before it is given up as one that closes would be: the lease is confirmed anew, and
/// the request goes on a fresh one.
#[cfg(feature = "fault-points")]
#[tokio::test]
async fn an_attempt_that_stood_still_on_a_used_connection_renews_its_lease_and_goes_on_a_fresh_one() {
    let upstream = Upstream::counting().await;
    let (gateway, first) = stood_still_before_its_first_byte(&upstream, "lease = \"500ms\"", true).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
    assert_eq!((upstream.executions("k"), upstream.connections()), (1, 2));
}

/// At its deadline an attempt is given up, and what it could still send would come when its record says that nobody knows.
#[cfg(feature = "fault-points")]
#[tokio::test]
async fn an_attempt_that_stood_still_before_its_first_byte_beyond_its_deadline_sends_nothing_and_frees_its_key()
 {
    let upstream = Upstream::counting().await;
    let (gateway, first) = stood_still_before_its_first_byte(&upstream, "deadline = \"1s\"", false).await;
    assert!([502, 504].contains(&first.status), "{}", first.text());
    let second = async {
        loop {
            let repeat = send(gateway.address, &transfer("k")).await;
            if repeat.status == 201 {
                break repeat;
            }
        }
    };
    assert_executed(&tokio::time::timeout(WAIT_LIMIT, second).await.expect("the key becomes free"), 201);
    let attempts: Vec<_> =
        upstream.seen().iter().map(|seen| seen.header("idempotency-attempt").map(str::to_owned)).collect();
    assert_eq!(attempts, [Some("2".to_owned())]);
}

/// One who comes back late and writes its outcome over, or clears away, what belongs to its successor. Here an operator
/// frees the key, a second attempt runs, and only then the first one's answer arrives.
#[tokio::test]
async fn f14_an_answer_that_comes_late_does_not_touch_its_successor() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let setup = Setup::anonymous().defaults("deadline = \"2s\"\nsettle_after = \"60s\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let refusal = assert_problem(&send(gateway.address, &transfer("k")).await, 504, "outcome-unknown");
    let settle = json!({ "as": "not-applied", "force": true, "state": "unknown", "fence": 1, "reason": "a mistake", "by": "ana" });
    let settled = gateway.settle(refusal["operation_ref"].as_str().unwrap(), &settle).await;
    assert_eq!(settled.status, 200, "{}", settled.text());
    let second = begin(gateway.address, &transfer("k"));
    after.arrived(2).await;
    after.admit(1);
    gateway.until("onlyonce_late_outcomes_total", 1).await;
    assert!(!second.is_finished(), "the late answer is not the successor's");
    let third = begin(gateway.address, &transfer("k"));
    gateway.until("onlyonce_waiters", 1).await;
    after.open();
    let second = second.await.unwrap();
    assert_executed(&second, 201);
    assert_eq!(second.json()["effect"].as_str(), upstream.ids("k").get(1).map(String::as_str));
    assert_replays(&third.await.unwrap(), &second);
    assert_replays(&send(gateway.address, &transfer("k")).await, &second);
}
