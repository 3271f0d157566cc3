//! A ledger that answers nobody, and more requests than it is asked at once.

use std::collections::BTreeMap;

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::Request,
    effects::Upstream,
    servers::{Postgres, Redis, postgres},
};

use tokio::task::JoinHandle;

use crate::{
    gateway::Gateway,
    ledger::Ledger,
    transfer::{all, begin, send, transfer},
};

/// More than there are connections to a database, by far.
const REQUESTS: usize = 400;
/// The sessions that hold a whole table.
const LOCKS: &str = "pg_locks where mode = 'AccessExclusiveLock' and granted";

/// What holds the lock until its session is ended.
struct Locking(JoinHandle<String>);

/// The role of a gateway; the superuser may have as many connections as there are.
const ROLE: &str = "teller";

/// A server that has no connection left is up: whoever is told that the ledger is away would look for the wrong fault, and
/// whoever takes its connections must not have others run unprotected.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_has_no_connection_left_is_capacity_and_serves_again_by_itself() {
    let server = Postgres::start().await;
    let ledger = Ledger::in_schema_of(&server.url()).await;
    let (_, schema) = ledger.url.split_once("schema=").unwrap();
    server.ask(&format!("create role {ROLE} login; grant usage on schema {schema} to {ROLE}; grant all on all tables in schema {schema} to {ROLE}")).await;
    let ledger = ledger.as_role(ROLE);
    let exhaust = async || {
        server.ask(&format!("alter role {ROLE} connection limit 0")).await;
        server
            .ask(&format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{ROLE}'"))
            .await;
    };
    let recover = async |()| _ = server.ask(&format!("alter role {ROLE} connection limit -1")).await;
    story(&ledger, "fail_open = true", &["capacity"], exhaust, recover).await;
}

/// A pool that waits for ever, or that a burst breaks for good: here somebody's lock holds up the statements of all
/// connections. The server was asked, and did not say.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_whose_table_is_locked_is_unavailable_and_serves_again_by_itself() {
    let server = Postgres::start().await;
    let ledger = Ledger::in_schema_of(&server.url()).await;
    let exhaust = async || {
        let schema = ledger.url.split_once("schema=").unwrap().1;
        let (url, lock) = (server.url(), format!("lock table {schema}.records; select pg_sleep(600)"));
        let locking = tokio::spawn(async move { postgres::ask(&url, &lock).await });
        while server.ask(&format!("select count(*) from {LOCKS}")).await == "0" {}
        Locking(locking)
    };
    let recover = async |Locking(locking)| {
        server.ask(&format!("select pg_terminate_backend(pid) from {LOCKS}")).await;
        assert!(locking.await.unwrap_err().is_panic());
    };
    story(&ledger, "", &["ledger-unavailable"], exhaust, recover).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stands_still_is_told_and_serves_again_by_itself() {
    let server = Redis::start().await;
    let ledger = Ledger::in_namespace_of(&server.url());
    // Who comes to the server learns that it does not answer; who does not is told that too many do.
    let told = ["capacity", "ledger-unavailable"];
    story(&ledger, "", &told, async || server.sigstop().await, async |()| server.sigcont()).await;
}

async fn story<S>(
    ledger: &Ledger,
    defaults: &str,
    may_be_told: &[&str],
    exhaust: impl AsyncFnOnce() -> S,
    recover: impl AsyncFnOnce(S),
) {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), ledger.setup(defaults)).await;
    let request = |number: usize| -> Request { transfer(&format!("k{number}")) };
    assert_eq!(send(gateway.address, &request(REQUESTS)).await.status, 201);

    let exhausted = exhaust().await;
    let mut told = BTreeMap::new();
    for answer in all((0..REQUESTS).map(|number| begin(gateway.address, &request(number))).collect()).await {
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.text());
        let kind = answer.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        *told.entry(kind).or_insert(0) += 1;
    }
    assert!(told.keys().all(|problem| may_be_told.contains(&problem.as_str())), "{told:?}");
    assert_eq!(upstream.total(), 1, "nothing was sent: {told:?}");
    assert_eq!(gateway.ask(&Request::get("/healthz")).await.status, 200);

    recover(exhausted).await;
    let served = async {
        for number in 0..REQUESTS {
            while send(gateway.address, &request(number)).await.status != 201 {}
        }
    };
    assert!(tokio::time::timeout(WAIT_LIMIT, served).await.is_ok(), "it does not serve again");
    assert_eq!(upstream.total(), REQUESTS + 1);
}
