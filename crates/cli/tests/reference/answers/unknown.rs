//! Requests and repeats whose outcome is unknown.

use onlyonce_testbed::{
    Gate,
    client::Request,
    effects::{Answer, Upstream},
    hostile::{Behaviour, Hostile},
};

use super::{Scenario, Shown, repeats};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("timed-out", || Box::pin(timed_out())),
    ("broke-off", || Box::pin(broke_off())),
    ("unknown", || Box::pin(repeated(""))),
    ("unknown-rerun", || Box::pin(repeated("on_unknown = \"rerun\"\nsettle_after = \"1m\""))),
    ("unknown-probe", || Box::pin(repeated(PROBE))),
    ("settled", || Box::pin(settled())),
    ("operation-not-found", || Box::pin(operation_not_found())),
];

const PROBE: &str =
    "on_unknown = \"probe\"\nsettle_after = \"1m\"\n[defaults.probe]\nurl = \"/operations/{operation_ref}\"";

async fn timed_out() -> Shown {
    let gate = Gate::closed();
    let upstream = repeats::held(&gate).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("deadline = \"100ms\"")).await;
    send(gateway.address, &transfer("k")).await.into()
}

async fn broke_off() -> Shown {
    let upstream = Hostile::start(Behaviour::ClosesMidBody).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer("k")).await.into()
}

/// The repeat of one whose upstream answered 504.
async fn repeated(lines: &str) -> Shown {
    let upstream = Upstream::start(|_| async { Answer::new(504) }).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(lines)).await;
    send(gateway.address, &transfer("k")).await;
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!(upstream.arrivals(), 1);
    answer.into()
}

async fn settled() -> Shown {
    let upstream = Upstream::start(|_| async { Answer::new(504) }).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer("k")).await;
    let reference = upstream.seen()[0].operation().unwrap();
    let decision = serde_json::json!({
        "as": "applied", "status": 201, "state": "unknown", "fence": 1, "reason": "row 8123", "by": "ana"
    });
    assert_eq!(gateway.settle(&reference, &decision).await.status, 200);
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!(answer.header("idempotency-settled"), Some("operator"));
    answer.into()
}

async fn operation_not_found() -> Shown {
    let upstream = repeats::upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    send(gateway.address, &transfer("k").header("x-principal", "ana")).await;
    let reference = upstream.seen()[0].operation().unwrap();
    let path = format!("/.well-known/idempotency/operations/{reference}");
    send(gateway.address, &Request::get(path).header("x-principal", "luis")).await.into()
}
