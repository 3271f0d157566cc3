//! Answers to a re-run. The first attempt was answered 504, and its key is unknown; what `first` is here is the first
//! answer that a re-run got.

use std::{net::SocketAddr, time::Duration};

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{Request, Response},
    effects::{Answer, Upstream},
};
use tokio::task::JoinSet;

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    transfer::send,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("rerun-put-off", |_| Box::pin(rerun(&[409, 412, 423, 425, 429, 503]))),
    ("rerun-not-performed", |_| Box::pin(rerun(&[307, 401, 403, 405, 415, 431, 521]))),
    ("rerun-answered", |_| Box::pin(rerun(&[200, 201, 402, 404, 422, 500]))),
];

async fn rerun(statuses: &'static [u16]) -> Vec<Pair> {
    let upstream = Upstream::start(|arrival| async move {
        let seen = &arrival.seen;
        if seen.header("idempotency-attempt") == Some("1") {
            return Answer::new(504);
        }
        let status = seen.path.trim_start_matches('/').parse().expect("a path that is a status");
        Answer::new(status).header("retry-after", "9").body(arrival.execute())
    })
    .await;
    // Long enough that the repeat after a re-run comes before the next one is due.
    let setup = Setup::anonymous().defaults("on_unknown = \"rerun\"\nsettle_after = \"1s\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let (address, effects) = (gateway.address, (*upstream).clone());
    let mut keys = JoinSet::new();
    for status in statuses {
        let effects = effects.clone();
        keys.spawn(async move {
            let key = format!("k-{status}");
            let request = Request::post(format!("/{status}")).key(&key).body("x");
            send(address, &request).await;
            let first = once_it_runs(address, &request).await;
            let repeat = send(address, &request).await;
            Pair { case: status.to_string(), first, repeat, ran_again: effects.executions(&key) > 1 }
        });
    }
    keys.join_all().await
}

/// The first answer that is not ours: `settle_after` is over then.
async fn once_it_runs(address: SocketAddr, request: &Request) -> Response {
    let sent = async {
        loop {
            let answer = send(address, request).await;
            if !answer.text().contains("urn:problem-type:onlyonce:") {
                return answer;
            }
            // bounded: by WAIT_LIMIT, below
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, sent).await.expect("it may run after settle_after")
}
