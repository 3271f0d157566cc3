//! Whether the process lives, and whether it should get traffic.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{extract, response::Response};
use onlyonce_http::problem::Refused;
use serde_json::json;

use super::{
    State,
    answer::{self, Answer},
    problems::NOT_READY,
};

/// How long the ledger may take to answer before it counts as not reachable.
const LEDGER_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn lives() -> Response {
    answer::json(&json!({ "alive": true }))
}

pub(super) async fn ready(extract::State(state): extract::State<State>) -> Answer {
    if !state.accepting.load(Ordering::Relaxed) {
        return Err(not_ready(
            "draining",
            "The gateway is stopping: it takes no new requests and ends what runs.",
        ));
    }
    match tokio::time::timeout(LEDGER_WAIT, state.ledger().is_ready()).await {
        Ok(true) => Ok(answer::json(&json!({ "ready": true }))),
        Ok(false) | Err(_) => Err(not_ready(
            "ledger",
            "The ledger cannot be read, so keyed requests get 503. The gateway's log says why.",
        )),
    }
}

fn not_ready(reason: &str, detail: &str) -> answer::Refusal {
    Refused::new(NOT_READY, detail).member("ready", false).member("reason", reason).into()
}
