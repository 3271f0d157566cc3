//! What the operators of this service may do: see what is open, and say what became of it.
//!
//! A gateway brings an admin API and `onlyonce keys`; a service brings its own, behind its own login.

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use onlyonce::{Became, NotSettledKind, Onlyonce, OperationRef, Settlement, ledger::operator::Listed};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most operations that are listed.
const LISTED: usize = 100;

/// What somebody found out at the provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    /// The attempt that was looked at.
    attempt: u32,
    /// The status that the handler would have answered; none if nothing was charged, and nothing will be.
    applied: Option<u16>,
    by: String,
    reason: String,
}

/// The operators' routes.
pub(crate) fn operators(once: Onlyonce) -> Router {
    Router::new()
        .route("/operators/open", get(open))
        .route("/operators/open/{operation}", post(settle))
        .layer(middleware::from_fn(admit))
        .with_state(once)
}

async fn open(State(once): State<Onlyonce>) -> Result<Json<Value>, (StatusCode, String)> {
    let open = once.ledger().open_records(None, LISTED).await;
    let open = open.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let operation = |listed: &Listed| {
        json!({
            "operation": listed.reference.to_string(),
            "state": listed.record.state.name().as_str(),
            "attempt": listed.record.fence.0,
            "route": listed.record.route,
            "since": listed.record.claimed_at.to_string(),
        })
    };
    Ok(Json(open.listed.iter().map(operation).collect()))
}

async fn settle(
    State(once): State<Onlyonce>,
    Path(operation): Path<String>,
    Json(found): Json<Found>,
) -> Result<StatusCode, (StatusCode, String)> {
    let operation = OperationRef::parse(&operation)
        .ok_or((StatusCode::BAD_REQUEST, "an operation's name is op_ and 36 characters".to_owned()))?;
    let Found { attempt, applied, by, reason } = found;
    let became = match applied.map(StatusCode::from_u16) {
        None => Became::NotApplied,
        Some(Ok(status)) => Became::Applied(status),
        Some(Err(_)) => return Err((StatusCode::BAD_REQUEST, "`applied` is no status".to_owned())),
    };
    let settled = once.settle(operation, Settlement { attempt, became, by, reason }).await;
    settled.map(|()| StatusCode::NO_CONTENT).map_err(|refused| {
        let status = match refused.kind() {
            NotSettledKind::Invalid => StatusCode::BAD_REQUEST,
            NotSettledKind::Absent => StatusCode::NOT_FOUND,
            NotSettledKind::InDoubt => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::CONFLICT,
        };
        (status, refused.to_string())
    })
}

/// Lets operators in and nobody else. A real service verifies a session here, and takes `by` from it.
async fn admit(request: Request, next: Next) -> Result<Response, StatusCode> {
    match request.headers().get(header::AUTHORIZATION).map(|token| token.as_bytes()) {
        Some(b"Bearer operator") => Ok(next.run(request).await),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}
