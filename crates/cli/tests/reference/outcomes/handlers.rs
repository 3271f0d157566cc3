//! What goes before the status: the upstream's own word, a layer within, a handler that panics.

use onlyonce_testbed::{
    client::Request,
    effects::{Answer, Upstream},
};

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    layer,
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("says-keep", |_| Box::pin(says("keep"))),
    ("says-release", |_| Box::pin(says("release"))),
    ("says-unknown", |_| Box::pin(says("unknown"))),
    ("says-nonsense", |_| Box::pin(says("nonsense"))),
    ("inner-layer", |_| Box::pin(inner_layer(&["in-progress", "outcome-unknown"], false))),
    ("inner-layer-not-done", |_| {
        Box::pin(inner_layer(&["capacity", "ledger-unavailable", "upstream-unreachable"], true))
    }),
    ("panic", |_| Box::pin(panics())),
];

/// One key for each of some statuses that would mean other things by themselves.
async fn says(word: &'static str) -> Vec<Pair> {
    let statuses: &[u16] = if word == "nonsense" { &[200, 500] } else { &[200, 403, 429, 500, 503] };
    let upstream = Upstream::start(move |arrival| async move {
        let status = arrival.seen.path.trim_start_matches('/').parse().expect("a path that is a status");
        Answer::new(status).header("idempotency-outcome", word).body(arrival.execute())
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut pairs = Vec::new();
    for status in statuses {
        let key = format!("k-{status}");
        pairs.push(pair(&gateway, &upstream, &Request::post(format!("/{status}")).key(&key), &key).await);
    }
    assert!(pairs.iter().all(|pair| !pair.first.headers.contains("idempotency-outcome")));
    pairs
}

/// With a status that would be kept; `echoes`: like a layer that got the key.
async fn inner_layer(names: &[&str], echoes: bool) -> Vec<Pair> {
    let upstream = Upstream::start(move |arrival| async move {
        arrival.execute();
        let name = arrival.seen.path.trim_start_matches('/').to_owned();
        let document =
            serde_json::json!({ "type": format!("urn:problem-type:onlyonce:{name}"), "status": 409 });
        let mut answer = Answer::new(409).header("content-type", "application/problem+json");
        if echoes {
            answer =
                answer.header("idempotency-key", arrival.seen.header("idempotency-key").unwrap_or_default());
        }
        answer.header("x-from", "upstream").body(document.to_string())
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let mut pairs = Vec::new();
    for name in names {
        pairs.push(pair(&gateway, &upstream, &Request::post(format!("/{name}")).key(name), name).await);
    }
    pairs
}

async fn pair(gateway: &Gateway, upstream: &Upstream, request: &Request, key: &str) -> Pair {
    let first = send(gateway.address, request).await;
    let repeat = send(gateway.address, request).await;
    Pair { case: request.path.clone(), first, repeat, ran_again: upstream.executions(key) > 1 }
}

async fn panics() -> Vec<Pair> {
    let server = layer::serve(layer::Trouble::Panics).await;
    let first = send(server.addr, &transfer("k")).await;
    let repeat = send(server.addr, &transfer("k")).await;
    vec![Pair { case: "panic".to_owned(), first, repeat, ran_again: server.calls() > 1 }]
}
