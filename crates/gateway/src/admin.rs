//! The operators' listener.

use std::{net::SocketAddr, sync::Arc};

use onlyonce_http::Shared;

use crate::principal::Identify;

/// What the operators' listener works on.
#[derive(Clone)]
pub(crate) struct State {
    /// The ledger, and how ids are made.
    pub(crate) shared: Arc<Shared>,
    /// How a principal is established on the data listener.
    pub(crate) identify: Arc<Identify>,
    /// False while the gateway drains.
    pub(crate) accepting: Arc<std::sync::atomic::AtomicBool>,
    /// Asked for in `Authorization: Bearer …`; none is needed on loopback.
    pub(crate) token: Option<Arc<str>>,
    /// Where it listens; `Host` must name it or a loopback name.
    pub(crate) address: SocketAddr,
}

/// The operators' routes.
pub(crate) fn router(_state: State) -> axum::Router {
    axum::Router::new()
}
