//! System calls, watched from outside: what is sent or answered was on disk before.
//!
//! `kill -9` cannot show this, because what a process wrote outlives it in the page cache. So a tracer delays the
//! return of every `fdatasync`: whatever does not wait for the sync overtakes it, in full view. And it makes syncs
//! fail, after which nobody may act as if they had succeeded.

#[path = "../support/gateway.rs"]
mod gateway;

mod story;
mod strace;
mod trace;

use gateway::{Gateway, Setup};
use onlyonce_testbed::{
    client::{self, Connection, Request},
    effects::Upstream,
};
use story::{Step, story};
use strace::Strace;

/// Long enough for anything that does not wait to overtake, in microseconds.
const SYNC_TAKES_US: u32 = 100_000;
/// The exit code of a gateway whose ledger has failed; documented, so it is written out here.
const POISONED: i32 = 6;

fn payment() -> Request {
    Request::post("/transfers")
        .header("Host", "bank.example")
        .key("k")
        .json(&serde_json::json!({"amount": 100}))
}

#[tokio::test]
async fn a_claim_is_synced_before_it_is_sent_and_a_result_before_it_is_answered() {
    let upstream = Upstream::counting().await;
    let strace = Strace::new(&format!("fdatasync:delay_exit={SYNC_TAKES_US}"));
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous().under(strace.command())).await;
    let mut first = Connection::open(gateway.address).await.unwrap();
    let answer = first.send(&payment()).await.unwrap();
    let mut second = Connection::open(gateway.address).await.unwrap();
    let replay = second.send(&payment()).await.unwrap();
    assert_eq!((answer.status, replay.header("idempotent-replayed")), (201, Some("true")));
    gateway.process.kill9().await;

    let calls = strace.calls();
    let ledger = gateway.directory.path().join("ledger");
    let of = |client: &Connection| story(&calls, &ledger, upstream.addr().port(), client.local_addr().port());
    use Step::{AnswersClient, SendsUpstream, Synced, Written};
    assert_eq!(
        of(&first),
        [Written, Synced, SendsUpstream, Written, Synced, AnswersClient],
        "one sync for the claim, one for the result, and each before what depends on it"
    );
    assert_eq!(of(&second), [AnswersClient], "a replay writes nothing and asks nobody");
}

/// After an error of a sync nobody knows whether the claim is on disk. It must not be acted upon.
#[tokio::test]
async fn a_claim_whose_sync_fails_is_never_sent() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let strace = Strace::new("fdatasync:error=EIO:when=1+");
    gateway.set_up(Setup::anonymous().under(strace.command()));
    gateway.crash_and_restart().await;
    let refused = client::send(gateway.address, &payment()).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("idempotency-status"), None);
    assert_eq!(upstream.arrivals(), 0);
    assert_eq!(gateway.process.wait().await.code(), Some(POISONED), "a failed ledger ends its process");

    gateway.set_up(Setup::anonymous());
    gateway.restart().await;
    let again = client::send(gateway.address, &payment()).await.unwrap();
    // The claim was written and may have come back; then it is a process that is gone, and nobody knows.
    let settled = (again.status, again.header("idempotency-status"));
    assert!([(201, Some("executed")), (409, Some("unknown"))].contains(&settled), "{settled:?}");
    assert!(upstream.total() <= 1);
}

#[tokio::test]
async fn a_result_whose_sync_fails_is_not_called_stored_and_never_runs_again() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let strace = Strace::new("fdatasync:error=EIO:when=2+");
    gateway.set_up(Setup::anonymous().under(strace.command()));
    gateway.crash_and_restart().await;
    let first = client::send(gateway.address, &payment()).await.unwrap();
    assert_eq!((first.status, first.header("idempotency-status")), (201, Some("unstored")));
    assert_eq!(gateway.process.wait().await.code(), Some(POISONED), "a failed ledger ends its process");
    assert_eq!(upstream.total(), 1);

    gateway.set_up(Setup::anonymous());
    gateway.restart().await;
    let again = client::send(gateway.address, &payment()).await.unwrap();
    let settled = (again.status, again.header("idempotency-status"));
    assert!([(201, Some("replayed")), (409, Some("unknown"))].contains(&settled), "{settled:?}");
    assert_eq!(upstream.total(), 1);
}
