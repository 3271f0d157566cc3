//! The first request, and repeats of it while it runs and afterwards.

use onlyonce_testbed::{
    Gate,
    effects::{Answer, Arrival, Upstream},
};

use super::{Scenario, Shown};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{begin, send, transfer, transfer_of},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("first", || Box::pin(first())),
    ("repeat", || Box::pin(repeat())),
    ("repeat-waits", || Box::pin(repeat_waits())),
    ("repeat-running", || Box::pin(repeat_running())),
    ("observed", || Box::pin(observed())),
    ("foreign", || Box::pin(foreign())),
    ("reused", || Box::pin(reused(""))),
    ("reused-409", || Box::pin(reused("on_mismatch = 409"))),
    ("reused-400", || Box::pin(reused("on_mismatch = 400"))),
    ("reused-running", || Box::pin(reused_running())),
];

/// An answer that can be told from every other, and from those of the gateway.
pub(super) fn answer(arrival: &Arrival) -> Answer {
    Answer::created(&arrival.execute(), &arrival.seen).header("x-from", "upstream")
}

/// An upstream that answers every request so.
pub(super) async fn upstream() -> Upstream {
    Upstream::start(|arrival| async move { answer(&arrival) }).await
}

/// The same, and every request is held at a gate.
pub(super) async fn held(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |arrival| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            answer(&arrival)
        }
    })
    .await
}

async fn first() -> Shown {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer("k")).await.into()
}

async fn repeat() -> Shown {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!(upstream.executions("k"), 1);
    Shown { answer, first: Some(first) }
}

async fn repeat_waits() -> Shown {
    let gate = Gate::closed();
    let upstream = held(&gate).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer("k"));
    gate.arrived(1).await;
    let repeat = begin(gateway.address, &transfer("k"));
    gateway.until("onlyonce_waiters", 1).await;
    gate.open();
    let shown = Shown { answer: repeat.await.unwrap(), first: Some(first.await.unwrap()) };
    assert_eq!(upstream.executions("k"), 1);
    shown
}

async fn repeat_running() -> Shown {
    let gate = Gate::closed();
    let upstream = held(&gate).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("wait = \"10ms\"")).await;
    let _first = begin(gateway.address, &transfer("k"));
    gate.arrived(1).await;
    send(gateway.address, &transfer("k")).await.into()
}

/// The repeat runs, and is told nothing of it.
async fn observed() -> Shown {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults("mode = \"observe\"")).await;
    send(gateway.address, &transfer("k")).await;
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!(upstream.executions("k"), 2);
    answer.into()
}

async fn foreign() -> Shown {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let of = |who| transfer("k").header("x-principal", who);
    let first = send(gateway.address, &of("ana")).await;
    let answer = send(gateway.address, &of("luis")).await;
    assert_ne!(answer.body, first.body, "it is his own");
    answer.into()
}

async fn reused(lines: &str) -> Shown {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header().defaults(lines)).await;
    let pay = |amount| transfer_of("k", amount).header("x-principal", "ana");
    send(gateway.address, &pay(100)).await;
    let answer = send(gateway.address, &pay(999)).await;
    assert_eq!(upstream.arrivals(), 1);
    answer.into()
}

async fn reused_running() -> Shown {
    let gate = Gate::closed();
    let upstream = held(&gate).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let _first = begin(gateway.address, &transfer("k"));
    gate.arrived(1).await;
    send(gateway.address, &transfer_of("k", 101)).await.into()
}
