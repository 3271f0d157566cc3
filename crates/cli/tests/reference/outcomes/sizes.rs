//! Answers that are not kept whole.

use onlyonce_testbed::effects::{Answer, Upstream};

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[("too-large", |_| Box::pin(too_large()))];

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
