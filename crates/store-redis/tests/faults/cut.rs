//! The connection is cut after the server has applied a write and before its answer: whoever wrote it finds out, and it
//! has happened once.

use std::time::Duration;

use onlyonce_core::record::ReleaseCause;
use onlyonce_ledger::store::{Applied, Body, Command, ErrorKind, Store};
use onlyonce_store_redis::RedisStore;
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

/// Called *not applied*, it would be given up, and nobody would release it.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_unknown_and_one_that_was_never_sent_is_not_applied() {
    let mut server = Redis::start().await;
    let proxy = Proxy::start(server.addr()).await;
    let (store, _) = RedisStore::open(options(&format!("redis://{}", proxy.addr()))).await.unwrap();
    let claim = |key| {
        let (id, head) = (request(key).id, crate::kept::row());
        Command { id, expect: None, head, body: Body::Keep, note: None }
    };
    let apply = async |key| store.apply(vec![claim(key)]).await.map_err(|error| error.kind());
    assert_eq!(apply(1).await, Ok(vec![Applied::Yes]));
    proxy.lose_answers(true);
    assert_eq!(apply(2).await, Err(ErrorKind::Unknown));
    proxy.lose_answers(false);
    until("it is found", async || {
        store.heads(&[request(2).id]).await.is_ok_and(|rows| rows == [Some(crate::kept::row())])
    })
    .await;

    server.stop().await;
    // What was under way when it ended may be in doubt; once it is known to be gone, nothing is.
    until("it is known to be gone", async || apply(3).await == Err(ErrorKind::NotApplied)).await;
    assert_eq!(apply(4).await, Err(ErrorKind::NotApplied));
    server.restart().await;
    until("it is found again", async || apply(5).await.is_ok()).await;
    assert_eq!(store.heads(&[request(4).id]).await.unwrap(), [None]);
}
