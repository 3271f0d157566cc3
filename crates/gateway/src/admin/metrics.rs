//! What an operator is alarmed by, in the text format of Prometheus.

use axum::{
    extract,
    http::header,
    response::{IntoResponse, Response},
};

use super::State;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn all(extract::State(state): extract::State<State>) -> Response {
    state.ledger().set_gauges();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], state.registry.text()).into_response()
}
