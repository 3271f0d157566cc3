//! Answers that are not kept whole.

use onlyonce_testbed::effects::{Answer, Upstream};

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("too-large", |_| Box::pin(too_large())),
    ("event-stream", |_| Box::pin(event_stream())),
    ("body-not-kept", |_| Box::pin(body_not_kept())),
];

async fn too_large() -> Vec<Pair> {
    let upstream = Upstream::start(|arrival| async move {
        arrival.execute();
        Answer::new(201).body(vec![b'x'; 100_000])
    })
    .await;
    let gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().defaults("answer_limit = \"1KiB\"")).await;
    let first = send(gateway.address, &transfer("k")).await;
    assert_eq!(first.body.len(), 100_000, "its caller gets it whole");
    let repeat = send(gateway.address, &transfer("k")).await;
    vec![Pair { case: "100 kB".to_owned(), first, repeat, ran_again: upstream.executions("k") > 1 }]
}

async fn event_stream() -> Vec<Pair> {
    let upstream = Upstream::start(|arrival| async move {
        Answer::new(200)
            .header("content-type", "text/event-stream")
            .body(format!("data: {}\n\n", arrival.execute()))
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    vec![Pair { case: "one event".to_owned(), first, repeat, ran_again: upstream.executions("k") > 1 }]
}

async fn body_not_kept() -> Vec<Pair> {
    let upstream = Upstream::start(|arrival| async move {
        Answer::new(201).header("location", "/transfers/7").header("x-other", "1").body(arrival.execute())
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("store_body = false")).await;
    let first = send(gateway.address, &transfer("k")).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((repeat.header("location"), repeat.header("x-other")), (Some("/transfers/7"), None));
    vec![Pair { case: "201".to_owned(), first, repeat, ran_again: upstream.executions("k") > 1 }]
}
