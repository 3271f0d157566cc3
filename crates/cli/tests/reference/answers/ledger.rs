//! What the ledger cannot do, or has no room for.

use onlyonce_testbed::effects::Upstream;

use super::{Scenario, Shown};
use crate::{
    gateway::{Gateway, Setup},
    layer,
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("capacity", || Box::pin(capacity())),
    ("ledger-unavailable", || Box::pin(ledger_unavailable())),
    ("fail-open", || Box::pin(fail_open())),
];

async fn capacity() -> Shown {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().table("[ledger]\nmax_bytes = \"1KiB\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let answer = send(gateway.address, &transfer("k")).await;
    assert_eq!(upstream.arrivals(), 0);
    answer.into()
}

async fn ledger_unavailable() -> Shown {
    let server = layer::serve(layer::Trouble::CannotBeReached).await;
    let answer = send(server.addr, &transfer("k")).await;
    assert_eq!(server.calls(), 0);
    answer.into()
}

async fn fail_open() -> Shown {
    let server = layer::serve(layer::Trouble::CannotBeReachedAndOpens).await;
    let answer = send(server.addr, &transfer("k")).await;
    assert_eq!(server.calls(), 1);
    answer.into()
}
