//! `min_replicas`: a claim counts once so many replicas have it.

use onlyonce_ledger::ErrorKind;
use onlyonce_store_redis::Options;
use onlyonce_testbed::servers::{Redis, redis};

use crate::begun::{CREATED, begin_with, options, request, until};

/// A master with a replica that follows.
async fn master_and_replica() -> (Redis, Redis) {
    let master = Redis::start().await;
    let (host, port) = (master.addr().ip(), master.addr().port());
    let settings = vec![("replicaof", format!("{host} {port}"))];
    let replica = Redis::start_with(redis::Options { settings, ..redis::Options::default() }).await;
    until("the replica follows", async || {
        replica.ask("INFO replication").await.contains("master_link_status:up")
            // Redis 6.2 does not end before it has written its first journal.
            && replica.ask("INFO persistence").await.contains("aof_rewrite_in_progress:0")
            && master.ask("INFO replication").await.contains("state=online")
    })
    .await;
    (master, replica)
}

/// On the master alone it is held by nobody: it must not run, and it must not stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_falls_short_of_its_replicas_does_not_run_and_is_released() {
    let (master, mut replica) = master_and_replica().await;
    let accepted = Options { accept_loss: true, ..options(&master.url()) };
    let begun = begin_with(short_of_one(&master)).await;
    assert!(begun.said.iter().all(|said| !said.contains("no claim is admitted")), "{:?}", begun.said);
    let direct = begin_with(accepted).await;
    begun.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();

    let leader = begun.lead(&request(2)).await;
    replica.sigstop().await;
    let claim = tokio::spawn(async move { leader.claim().await.map(drop).map_err(|error| error.kind()) });
    assert_eq!(claim.await.unwrap(), Err(ErrorKind::Unavailable));
    direct.until_state(&request(2), "released, fence 1").await;
    replica.sigcont();
    let again = begun.run(&request(2)).await;
    assert_eq!(again.fence().0, 2);
    again.complete(CREATED, "paid too".into()).await.unwrap();
    assert_eq!(direct.replay(&request(2)).await, "paid too");

    replica.stop().await;
    begun.until_refused().await;
    until("start-up says it", async || {
        let begun = begin_with(short_of_one(&master)).await;
        begun.said.iter().any(|said| said.contains("no claim is admitted") && said.contains("has 0 replicas"))
    })
    .await;
}

fn short_of_one(master: &Redis) -> Options {
    Options { accept_loss: true, min_replicas: 1, ..options(&master.url()) }
}
