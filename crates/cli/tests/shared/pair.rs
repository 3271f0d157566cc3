//! Two gateways in front of one upstream, on one ledger.

use onlyonce_testbed::effects::Upstream;

use crate::gateway::{Gateway, Setup};

pub(crate) struct Pair {
    pub(crate) one: Gateway,
    pub(crate) other: Gateway,
}

impl Pair {
    /// Both with the same setup.
    pub(crate) async fn start(upstream: &Upstream, setup: Setup) -> Self {
        Self::of(upstream, setup.clone(), setup).await
    }

    /// Each with its own. They open the ledger at the same time, which is new to both.
    pub(crate) async fn of(upstream: &Upstream, one: Setup, other: Setup) -> Self {
        let url = upstream.url();
        let (one, other) = tokio::join!(Gateway::start(&url, one), Gateway::start(&url, other));
        Self { one, other }
    }
}
