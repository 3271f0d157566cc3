//! An upstream that is not there.

use onlyonce_testbed::process::Port;

use super::{Scenario, Shown};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[("unreachable", || Box::pin(unreachable()))];

async fn unreachable() -> Shown {
    let port = Port::reserve();
    let gateway = Gateway::start(&port.url(), Setup::anonymous()).await;
    send(gateway.address, &transfer("k")).await.into()
}
