//! The server's clock is set while gateways use it, or between their starts.
//!
//! Its sessions find another `clock_timestamp` before the server's own: no test may set a machine's clock.
//!
//! Whether a gateway that was there before has already heard of a step when it is asked is luck, since it asks every two
//! seconds; what is asserted holds in both cases. `onlyonce-ledger`'s own tests make each of them certain.

use std::time::Duration;

use onlyonce_core::{Policy, Refusal, policy::OnUnknown};
use onlyonce_ledger::{
    Ledger,
    begin::{Claimed, Look, Request, Standing},
    store::Store,
};
use onlyonce_testbed::servers::Postgres;

use crate::{
    begun::{CREATED, Place, record, replayed, request, run},
    rows::{PAST, apply, completed, id, insert, version},
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A server whose clock can be set.
struct Clock {
    server: Postgres,
    place: Place,
}

impl Clock {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let place = Place::on(&server.url()).await;
        server.ask("CREATE SCHEMA clock").await;
        server.ask("CREATE TABLE clock.is_set AS SELECT interval '0' AS by").await;
        let shifted = "CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
                       AS 'SELECT pg_catalog.clock_timestamp() + by FROM clock.is_set'";
        server.ask(shifted).await;
        server.ask("ALTER DATABASE postgres SET search_path = clock, pg_catalog").await;
        Self { server, place }
    }

    async fn is_set(&self, by: &str) {
        self.server.ask(&format!("UPDATE clock.is_set SET by = by + interval '{by}'")).await;
    }

    async fn gateway(&self) -> Ledger {
        self.place.ledger().await
    }
}

/// What its upstream deduplicates, and would run again as soon as it may.
fn rerunnable(key: u32) -> Request {
    let request = request(key);
    Request { policy: Policy { on_unknown: OnUnknown::Rerun, ..request.policy }, ..request }
}

async fn does_not_run(ledger: &Ledger, request: &Request) -> Standing {
    match ledger.look_up(request, Duration::ZERO).await.unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(leader) => match leader.claim().await.unwrap() {
            Claimed::Stands(standing) => standing,
            Claimed::Attempt(_) => panic!("it runs again"),
        },
    }
}

fn refused(standing: Standing) -> Refusal {
    match standing {
        Standing::Refused { refusal, .. } => refusal,
        other => panic!("it is refused, and not {other:?}"),
    }
}

/// For who had stood still since, what the others began had lapsed long ago, and was run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_set_back_makes_nothing_run_twice() {
    let clock = Clock::start().await;
    let before = clock.gateway().await;
    let now = before.now();
    clock.is_set("-5 minutes").await;
    let after = clock.gateway().await;
    assert!(after.now() < now, "the clock is set");
    let attempt = run(&after, &rerunnable(1)).await;
    assert_eq!(refused(does_not_run(&before, &rerunnable(1)).await), Refusal::InProgress);
    assert!(record(&after, &request(1)).await.is_open());
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&before, &rerunnable(1)).await, "paid");

    clock.is_set("-8 days").await;
    run(&after, &rerunnable(2)).await.complete(CREATED, "paid".into()).await.unwrap();
    for ledger in [&before, &after, &clock.gateway().await] {
        assert_eq!(replayed(ledger, &rerunnable(2)).await, "paid");
    }
}

/// Every lease of the ledger lapsed at once, and whoever was started then swept what was kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_set_forward_makes_nothing_run_twice() {
    let clock = Clock::start().await;
    let (one, before) = (clock.gateway().await, clock.gateway().await);
    let attempt = run(&one, &rerunnable(1)).await;
    run(&one, &rerunnable(2)).await.complete(CREATED, "paid".into()).await.unwrap();
    let now = one.now();
    clock.is_set("8 days").await;
    let after = clock.gateway().await;
    assert!(after.now().since(now) > WEEK, "the clock is set");
    for ledger in [&before, &after] {
        assert_eq!(refused(does_not_run(ledger, &rerunnable(1)).await), Refusal::InProgress);
        assert_eq!(replayed(ledger, &rerunnable(2)).await, "paid");
    }
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&after, &rerunnable(1)).await, "paid");
}

/// A sweep takes many statements, and the clock is set back between two of them: whoever sweeps has not heard of it, and others have
/// kept what they wrote since by the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_removes_nothing_that_the_server_itself_calls_kept() {
    let clock = Clock::start().await;
    let store = clock.place.store().await;
    let (now, kept_until) = (store.now(), store.now().minus(Duration::from_secs(60)));
    let command = |number| insert(id(number), &completed(version(1, 1), PAST, kept_until));
    apply(&store, command(1)).await;
    assert_eq!(store.sweep(now, 10).await.unwrap(), 1, "its time has passed");
    apply(&store, command(2)).await;
    clock.is_set("-5 minutes").await;
    assert_eq!(store.sweep(now, 10).await.unwrap(), 0, "its time is to come");
    assert!(store.heads(&[id(2)]).await.unwrap()[0].is_some());
}

/// What rests on time alone waits for the server's word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_heard_from_the_server_and_from_nobody_else() {
    let clock = Clock::start().await;
    let store = clock.place.store().await;
    let now = store.now();
    clock.is_set("-5 minutes").await;
    store.hear_time().await.unwrap();
    assert!(store.now() < now);
    clock.server.sigstop().await;
    let heard = store.hear_time().await;
    clock.server.sigcont();
    assert!(heard.is_err(), "it stands still, and nobody knows its time");
}
