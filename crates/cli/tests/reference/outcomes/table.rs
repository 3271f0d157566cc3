//! Answers by their status.

use onlyonce_testbed::{
    client::Request,
    effects::{Answer, Upstream},
};

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    transfer::send,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("success", |statuses| Box::pin(answered(statuses, &[], ""))),
    ("refusal", |statuses| Box::pin(answered(statuses, &[], ""))),
    ("failure", |statuses| Box::pin(answered(statuses, &[], ""))),
    ("not-performed", |statuses| Box::pin(answered(statuses, &[], ""))),
    ("busy", |statuses| Box::pin(answered(statuses, &[("retry-after", "7")], ""))),
    ("does-not-know", |statuses| Box::pin(answered(statuses, &[], ""))),
    ("strict-kept", |statuses| Box::pin(answered(statuses, &[], STRICT))),
    ("strict-unknown", |statuses| Box::pin(answered(statuses, &[("retry-after", "7")], STRICT))),
    ("route-keep", |statuses| Box::pin(said_by_the_route(statuses, "keep"))),
    ("route-release", |statuses| Box::pin(said_by_the_route(statuses, "release"))),
    ("route-unknown", |statuses| Box::pin(said_by_the_route(statuses, "unknown"))),
];

const STRICT: &str = "[defaults]\nfrees = \"strict\"";

/// One key for each status; its first answer is that status.
async fn answered(statuses: Vec<u16>, headers: &'static [(&str, &str)], tables: &str) -> Vec<Pair> {
    let upstream = naming_its_status(headers).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().table(tables)).await;
    let mut pairs = Vec::with_capacity(statuses.len());
    for status in statuses {
        let key = format!("k-{status}");
        let request = Request::post(format!("/{status}")).key(&key).body("x");
        let first = send(gateway.address, &request).await;
        assert_eq!(
            (first.status, first.header("x-from")),
            (status, Some("upstream")),
            "it reaches its caller"
        );
        let repeat = send(gateway.address, &request).await;
        let ran_again = upstream.executions(&key) > 1;
        pairs.push(Pair { case: status.to_string(), first, repeat, ran_again });
    }
    pairs
}

/// An upstream whose answers have the status that the path names.
async fn naming_its_status(headers: &'static [(&str, &str)]) -> Upstream {
    Upstream::start(move |arrival| async move {
        let status = arrival.seen.path.trim_start_matches('/').parse().expect("a path that is a status");
        let effect = arrival.execute();
        let mut answer = Answer::new(status).header("x-from", "upstream");
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        if matches!(status, 204 | 205 | 304) { answer } else { answer.body(effect) }
    })
    .await
}

/// The route says this word of each of the statuses.
async fn said_by_the_route(statuses: Vec<u16>, word: &str) -> Vec<Pair> {
    let lines = statuses.iter().map(|status| format!("\"{status}\" = \"{word}\"\n"));
    let table = format!("[defaults.outcome]\n{}", lines.collect::<String>());
    answered(statuses, &[], &table).await
}
