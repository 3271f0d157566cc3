//! The connection is cut after the server has applied a write and before its answer: whoever wrote it finds out, and it
//! has happened once.

use std::time::Duration;

use onlyonce_core::record::ReleaseCause;
use onlyonce_testbed::{
    proxy::{Fault, Proxy},
    servers::Redis,
};

use crate::begun::{Begun, CREATED, begin, granted, leased, options, request, until};

/// What a server says when a connection is new: `+PONG`, and the end of the line.
const GREETING: u64 = 7;

/// A ledger behind a proxy, and another gateway's that reaches the server itself.
struct Cut {
    behind: Begun,
    direct: Begun,
    proxy: Proxy,
    _server: Redis,
}

impl Cut {
    async fn start() -> Self {
        let server = Redis::start().await;
        let proxy = Proxy::start(server.addr()).await;
        let behind = begin(&format!("redis://{}", proxy.addr())).await;
        let direct = begin(&server.url()).await;
        Self { behind, direct, proxy, _server: server }
    }

    /// From now on every answer is lost, with its connection, once the server has sent it.
    fn lose_answers(&self) {
        self.proxy.always(Fault::cut_down(GREETING));
        self.proxy.cut_all();
    }

    fn heal(&self) {
        self.proxy.always(Fault::none());
        self.proxy.cut_all();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_was_lost_runs_once() {
    let cut = Cut::start().await;
    // The server has the script by then, or it would lose the answer that it has not.
    cut.behind.claim(&request(2)).await;
    let leader = cut.behind.lead(&request(1)).await;
    cut.lose_answers();
    let claim = tokio::spawn(granted(leader));
    cut.direct.until_state(&request(1), "in-progress, fence 1").await;
    let connections = cut.proxy.connections();
    // It is sent again, and that answer is lost too.
    cut.proxy.connections_arrived(connections + 3).await;
    cut.heal();
    let attempt = claim.await.unwrap();
    attempt.start().await.unwrap();
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(cut.direct.state(&request(1)).await, "completed, fence 1");
    assert_eq!(cut.direct.replay(&request(1)).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_answer_was_lost_is_on_record_once() {
    let cut = Cut::start().await;
    let attempt = cut.behind.run(&request(1)).await;
    cut.lose_answers();
    let complete = tokio::spawn(async move { attempt.complete(CREATED, "paid".into()).await });
    cut.direct.until_state(&request(1), "completed, fence 1").await;
    cut.heal();
    complete.await.unwrap().unwrap();
    assert_eq!(cut.direct.record(&request(1)).await.unwrap().version.revision, 2, "claimed and completed");
    assert_eq!(cut.behind.replay(&request(1)).await, "paid");
    assert_eq!(cut.behind.ledger.late_outcomes(), 0);
}

/// What is sent again must not release the attempt that has the key by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_answer_was_lost_frees_nobody_else() {
    let cut = Cut::start().await;
    let attempt = cut.behind.run(&request(1)).await;
    cut.lose_answers();
    let release = tokio::spawn(async move { attempt.release(ReleaseCause::NotSent, None).await });
    cut.direct.until_state(&request(1), "released, fence 1").await;
    let next = cut.direct.claim(&request(1)).await;
    cut.heal();
    // Whatever it is told, the successor holds its claim.
    let _ = release.await.unwrap();
    assert_eq!(cut.direct.state(&request(1)).await, "in-progress, fence 2");
    next.start().await.unwrap();
    next.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(cut.direct.replay(&request(1)).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_answer_was_lost_keeps_the_lease() {
    let cut = Cut::start().await;
    let request = leased(1, Duration::from_secs(3));
    let attempt = cut.behind.run(&request).await;
    cut.lose_answers();
    let revision = async || cut.direct.record(&request).await.unwrap().version.revision;
    until("it was renewed", async || revision().await > 1).await;
    cut.heal();
    let renewed = revision().await;
    until("it is renewed again", async || revision().await > renewed).await;
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(cut.direct.state(&request).await, "completed, fence 1");
}

/// A server that cannot be reached is told at once, and nothing is in doubt.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_never_sent_leaves_the_key_free() {
    use onlyonce_ledger::store::{ErrorKind, Store};

    let mut server = Redis::start().await;
    let (store, _) = onlyonce_store_redis::RedisStore::open(options(&server.url())).await.unwrap();
    server.stop().await;
    let claim = || async {
        let command = onlyonce_ledger::store::Command {
            id: request(1).id,
            expect: None,
            head: crate::kept::row(),
            body: onlyonce_ledger::store::Body::Keep,
            note: None,
        };
        store.apply(vec![command]).await.map_err(|error| error.kind())
    };
    until("it is known to be gone", async || claim().await == Err(ErrorKind::NotApplied)).await;
    server.restart().await;
    let row = async || store.heads(&[request(1).id]).await;
    until("it can be read again", async || row().await.is_ok()).await;
    assert_eq!(row().await.unwrap(), [None]);
    until("it is found again", async || claim().await.is_ok()).await;
}
