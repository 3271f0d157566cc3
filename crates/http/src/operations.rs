//! `GET /.well-known/idempotency/operations/{operation_ref}`: what became of an operation, for its owner.
//!
//! Runs nothing, and takes GET and HEAD only. Anybody else, and anything that is not there, gets the same 404.

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use onlyonce_core::{OperationRef, Record, State, problem, record::TombstoneCause};
use serde_json::{Map, Value};

use crate::{
    body::Body,
    layer::Layer,
    problem::{OPERATIONS_PATH, Refused},
};

/// The reference in a path that asks for an operation; `None` for every other path.
pub fn asked_for(path: &str) -> Option<&str> {
    path.strip_prefix(OPERATIONS_PATH)
}

/// What became of it, for whom the layer takes to be asking; the `type` of a problem begins with `base`. Dropped half way,
/// nothing has changed: it only reads.
pub async fn answer<B>(layer: &Layer, parts: &Parts, reference: &str, base: &str) -> Response<Body<B>> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return not_allowed();
    }
    let owner = match layer.identify(parts) {
        Ok(principal) => layer.shared().scopes().owner(&principal),
        Err(detail) => return Refused::new(problem::PRINCIPAL_REQUIRED, detail).into_response(base),
    };
    let Some(reference) = OperationRef::parse(reference) else { return not_found(base) };
    match layer.shared().ledger().operation(reference).await {
        Ok(Some(record)) if record.owner == owner => describe(reference, &record),
        Ok(_) => not_found(base),
        Err(error) => {
            tracing::warn!(%error, "an operation could not be looked up");
            Refused::new(problem::LEDGER_UNAVAILABLE, "The ledger cannot be reached. Ask again.")
                .retry_after(1)
                .into_response(base)
        }
    }
}

fn not_allowed<B>() -> Response<Body<B>> {
    let mut answer = Response::new(Body::whole("An operation can be asked for with GET and HEAD only.\n"));
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    // Its body is not read.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn not_found<B>(base: &str) -> Response<Body<B>> {
    Refused::new(
        problem::NOT_FOUND,
        "There is no such operation, or it is not yours, or it is no longer remembered.",
    )
    .into_response(base)
}

fn describe<B>(reference: OperationRef, record: &Record) -> Response<Body<B>> {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("operation_ref", reference.to_string().into());
    put("state", state(record).into());
    put("attempts", record.fence.0.into());
    put("first_attempt_at", record.first_claim_at.to_string().into());
    match record.state {
        State::Unknown { since, seen_status, .. } => {
            put("since", since.to_string().into());
            if let Some(status) = seen_status {
                put("seen_status", status.into());
            }
        }
        State::Completed { at, status, result_until, key_until, .. } => {
            put("at", at.to_string().into());
            put("status", status.into());
            put("result_until", result_until.to_string().into());
            put("key_until", key_until.to_string().into());
        }
        State::Tombstone { at, status, key_until, cause } => {
            put("at", at.to_string().into());
            put("key_until", key_until.to_string().into());
            put("result", gone(cause).into());
            if let Some(status) = status {
                put("status", status.into());
            }
        }
        State::Released { at, .. } => {
            put("at", at.to_string().into());
        }
        State::InProgress { .. } => {}
    }
    let bytes = serde_json::to_vec(&document).expect("a map of values can be written as JSON");
    let mut answer = Response::new(Body::whole(bytes));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(record.state, State::InProgress { .. } | State::Unknown { .. }) {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    answer
}

/// The five words that an owner is told.
fn state(record: &Record) -> &'static str {
    match record.state {
        State::InProgress { .. } => "running",
        State::Unknown { .. } => "unknown",
        State::Released { .. } => "released",
        State::Completed { status, .. } | State::Tombstone { status: Some(status), .. } => applied(status),
        State::Tombstone { status: None, .. } => "applied",
    }
}

/// A kept answer below 400 took effect; one above it is a refusal that stands.
fn applied(status: u16) -> &'static str {
    if status < StatusCode::BAD_REQUEST.as_u16() { "applied" } else { "refused" }
}

fn gone(cause: TombstoneCause) -> &'static str {
    match cause {
        TombstoneCause::TooLarge => "too large to keep",
        TombstoneCause::Expired => "no longer kept",
        TombstoneCause::Forgotten => "removed by an operator",
    }
}
