//! Repeats of what has ended and has no result to show.

use std::process::Command;

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{Request, Response},
    effects::{Answer, Upstream},
    process::Server,
};
use serde_json::json;

use super::{Scenario, Shown, repeats};
use crate::{
    gateway::{Gateway, Setup},
    layer,
    transfer::{said, send, transfer},
};

/// Made in February 2022 (RFC 9562, appendix A.6).
const OLD: &str = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";

pub(super) const SCENARIOS: &[Scenario] = &[
    ("expired", || Box::pin(expired())),
    ("forgotten", || Box::pin(forgotten())),
    ("too-large-to-keep", || Box::pin(too_large_to_keep())),
    ("damaged", || Box::pin(damaged())),
    ("dated", || Box::pin(dated())),
    ("restored", || Box::pin(restored())),
];

async fn expired() -> Shown {
    let upstream = repeats::upstream().await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("retain_result = \"1s\"")).await;
    send(gateway.address, &transfer("k")).await;
    let answer = tokio::time::timeout(WAIT_LIMIT, not_replayed(&gateway)).await.expect("results expire");
    assert_eq!(upstream.executions("k"), 1);
    answer.into()
}

/// The first answer that is no replay.
async fn not_replayed(gateway: &Gateway) -> Response {
    loop {
        let answer = send(gateway.address, &transfer("k")).await;
        if said(&answer) != Some("replayed") {
            return answer;
        }
        // bounded: by WAIT_LIMIT, above
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn forgotten() -> Shown {
    let upstream = repeats::upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer("k")).await;
    let path = format!("/api/v1/records/{}", upstream.seen()[0].operation().unwrap());
    let decision = json!({ "state": "completed", "fence": 1, "reason": "erasure 12", "by": "ana" });
    assert_eq!(gateway.ask(&Request::new("DELETE", path).json(&decision)).await.status, 200);
    send(gateway.address, &transfer("k")).await.into()
}

async fn too_large_to_keep() -> Shown {
    let upstream = Upstream::start(|_| async { Answer::new(201).body("more than ten bytes") }).await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("answer_limit = \"10B\"")).await;
    send(gateway.address, &transfer("k")).await;
    send(gateway.address, &transfer("k")).await.into()
}

async fn damaged() -> Shown {
    let server = layer::serve(layer::Trouble::DamagesResults).await;
    send(server.addr, &transfer("k")).await;
    send(server.addr, &transfer("k")).await.into()
}

async fn dated() -> Shown {
    let upstream = repeats::upstream().await;
    let setup = Setup::anonymous().defaults("late = \"refuse-dated\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let answer = send(gateway.address, &transfer(OLD)).await;
    assert_eq!(upstream.arrivals(), 0);
    answer.into()
}

async fn restored() -> Shown {
    let upstream = repeats::upstream().await;
    let setup = Setup::anonymous().defaults("key = \"required\"");
    let mut gateway = Gateway::start(&upstream.url(), setup).await;
    send(gateway.address, &transfer("known")).await;
    gateway.process.kill9().await;
    let ledger = format!("embedded:{}", gateway.directory.path().join("ledger").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.args(["ledger", "restored", "--yes", "--ledger", &ledger]);
    let mut process = Server::spawn_command(command);
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.output());
    gateway.restart().await;
    assert_eq!(said(&send(gateway.address, &transfer("known")).await), Some("replayed"));
    let from_before = send(gateway.address, &transfer(OLD)).await;
    let without_birth = send(gateway.address, &transfer("k")).await;
    assert_eq!(without_birth.json(), from_before.json());
    assert_eq!(upstream.arrivals(), 1);
    without_birth.into()
}
