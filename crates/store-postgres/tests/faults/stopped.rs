//! A server that stands still for longer than a lease, and wakes up.

use std::time::Duration;

use onlyonce_core::Refusal;
use onlyonce_ledger::{attempt::LeaseLost, begin::Standing};
use onlyonce_testbed::servers::Postgres;

use crate::begun::{CREATED, Place, claim, lead, record, replayed, request, run, standing, with_lease};

const LEASE: Duration = Duration::from_secs(3);

/// Whoever holds a claim does not know that it still holds, and does not start. Who had started completes late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_for_longer_than_a_lease_makes_nothing_run_twice() {
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let (one, two) = (place.ledger().await, place.ledger().await);
    let waiting = claim(lead(&one, &with_lease(1, LEASE)).await).await;
    let running = run(&one, &with_lease(2, LEASE)).await;
    server.sigstop().await;
    // bounded: a little longer than the lease, which goes by a clock that cannot be paused
    tokio::time::sleep(LEASE + Duration::from_millis(200)).await;
    assert_eq!(
        waiting.start().await.unwrap_err(),
        LeaseLost,
        "nothing is sent under a lease that has passed"
    );
    server.sigcont();
    // The answer comes late, and to the owner's record, whatever others have made of it meanwhile.
    let completed = tokio::spawn(async move { running.complete(CREATED, "paid".into()).await });
    match standing(&two, &request(1)).await {
        Standing::Refused { refusal, .. } => {
            assert!(matches!(refusal, Refusal::InProgress | Refusal::Unknown), "{refusal:?}");
        }
        other => panic!("it is refused, and not {other:?}"),
    }
    completed.await.unwrap().unwrap();
    assert_eq!(replayed(&two, &request(2)).await, "paid");
    assert_eq!(record(&two, &request(2)).await.fence.0, 1);
    drop(waiting);
}
