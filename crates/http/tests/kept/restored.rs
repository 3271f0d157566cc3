//! A ledger that was restored to an earlier state.

use std::time::Duration;

use http::{HeaderMap, Response};
use onlyonce_http::rules::Requirement;

use crate::scene::{Fed, Scene, Setting, problem, said, transfer, whole};

const EIGHT_DAYS: Duration = Duration::from_secs(8 * 24 * 3600);

async fn paid(_: HeaderMap) -> Response<Fed> {
    Response::builder().status(201).header("idempotency-outcome", "keep").body(whole("paid")).unwrap()
}

/// The clock of a server jumped past `retain_key`. What was on record was kept, and what was missing ran again.
#[tokio::test(start_paused = true)]
async fn what_a_restore_has_lost_is_refused_until_it_is_certain_that_it_would_have_ended() {
    let setting = Setting { restored: true, ..Setting::default() };
    let scene = Scene::new(setting, |rules| rules.requirement = Requirement::Required, paid).await;
    problem(scene.send(transfer("k")).await, 409, "key-expired").await;
    scene.store.jumps(EIGHT_DAYS);
    problem(scene.send(transfer("k")).await, 409, "key-expired").await;
    assert!(scene.seen().is_empty());
    scene.store.doubtful(false);
    assert_eq!(said(&scene.send(transfer("k")).await), Some("executed"));
}
