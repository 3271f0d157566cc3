//! The operators' listener: what stands, what became of it, and the few things a person may change.
//!
//! Every request passes `guard` first: no web page and no stranger gets past it, on loopback either. Every change goes
//! through the ledger, which decides it like any other event and writes it together with its audit entry; nothing is
//! decided here. Keys come in by `lookup` only, and no answer, log line or error shows one, nor a body or credential.

mod answer;
mod audit;
mod bulk;
mod decision;
mod forget;
mod guard;
mod health;
mod input;
mod lookup;
mod metrics;
mod problems;
mod records;
mod settle;
mod view;

#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use onlyonce_http::Shared;
use onlyonce_ledger::Ledger;

use crate::{principal::Identify, registry::Registry, routes::Routes};

/// What the operators' listener works on.
#[derive(Clone)]
pub(crate) struct State {
    /// The ledger, and how ids are made.
    pub(crate) shared: Arc<Shared>,
    /// How a principal is established on the data listener.
    pub(crate) identify: Arc<Identify>,
    /// Which rules a request falls under there.
    pub(crate) routes: Arc<Routes>,
    /// False while the gateway drains.
    pub(crate) accepting: Arc<AtomicBool>,
    /// Asked for in `Authorization: Bearer …`, on loopback too. Without one only a loopback listener serves.
    pub(crate) token: Option<Arc<str>>,
    /// Where it listens; `Host` must name it or a loopback name.
    pub(crate) address: SocketAddr,
    /// What was counted.
    pub(crate) registry: Arc<Registry>,
}

impl State {
    fn ledger(&self) -> &Ledger {
        self.shared.ledger()
    }
}

/// The operators' routes.
pub(crate) fn router(state: State) -> Router {
    Router::new()
        .route("/healthz", get(health::lives))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::all))
        .route("/api/v1/records", get(records::list))
        .route("/api/v1/records/{operation_ref}", get(records::one).delete(forget::forget))
        .route("/api/v1/records/{operation_ref}/settle", post(settle::settle))
        .route("/api/v1/lookup", post(lookup::look_up))
        .route("/api/v1/settle", post(bulk::settle))
        .route("/api/v1/audit", get(audit::page))
        .fallback(answer::no_such_call)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(middleware::from_fn_with_state(state.clone(), guard::check))
        .with_state(state)
}
