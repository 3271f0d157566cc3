//! Reading what an operator sends: bounded, strict, and without repeating it in an error.
//!
//! An unknown member is refused: `"forced": true` must not be taken for nothing. What was sent may hold a key or a
//! credential, so errors name members and places only.

use std::time::Duration;

use axum::{
    extract::{self, FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use onlyonce_core::OperationRef;
use onlyonce_http::problem::Refused;
use serde::de::DeserializeOwned;

use super::{answer::Refusal, problems::BODY_TOO_LARGE};
use crate::config::Span;

/// Largest body, in bytes.
pub(super) const BODY_LIMIT: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Entries in a page unless it is said.
const PAGE: usize = 100;
/// Most entries in a page.
pub(super) const PAGE_MAX: usize = 1_000;

/// What a body or query looks like; shown where one is not valid.
pub(super) trait Shape: DeserializeOwned {
    /// An example, or the names.
    const SHAPE: &'static str;
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// The query's parameters.
pub(super) struct Query<T>(pub(super) T);

/// The operation that the path names.
pub(super) struct Reference(pub(super) OperationRef);

impl<T: Shape, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let body = axum::body::to_bytes(request.into_body(), BODY_LIMIT);
        let bytes = match tokio::time::timeout(BODY_TIME, body).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let detail = format!(
                    "The body must arrive whole and have {BODY_LIMIT} bytes at most. Nothing was done."
                );
                return Err(Refused::new(BODY_TOO_LARGE, detail).into());
            }
            Err(_) => {
                let seconds = BODY_TIME.as_secs();
                return Err(Refusal::invalid(format!(
                    "The body did not arrive in {seconds} s. Nothing was done."
                )));
            }
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Refusal::invalid(format!(
                "{}. Nothing was done. The body is JSON such as {}",
                place(&error),
                T::SHAPE
            ))
        })
    }
}

/// What is wrong and where, without what was sent: only the names of members that are missing are ours to tell.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = if error.is_syntax() || error.is_eof() {
        "This is not valid JSON"
    } else if let Some(missing) = text.split('`').nth(1).filter(|_| text.starts_with("missing field `")) {
        return format!("The member `{missing}` is missing");
    } else if text.starts_with("unknown field `") {
        "A member is not known here"
    } else {
        "A member has a value that it cannot have"
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

impl<T: Shape, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        extract::Query::try_from_uri(&parts.uri)
            .map(|extract::Query(query)| Self(query))
            .map_err(|_| Refusal::invalid(format!("The query is not understood. It may say {}", T::SHAPE)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reference {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = extract::Path::<String>::from_request_parts(parts, state).await;
        path.ok().and_then(|extract::Path(text)| OperationRef::parse(&text)).map(Self).ok_or_else(|| {
            Refusal::invalid(
                "The path must name an operation: `op_` and 36 letters and digits, as the list shows it.",
            )
        })
    }
}

/// The record after which a page begins.
pub(super) fn after(text: Option<&str>) -> Result<Option<OperationRef>, Refusal> {
    text.map(|text| {
        OperationRef::parse(text).ok_or_else(|| {
            Refusal::invalid("`after` must be the `next` of the page before: op_ and 36 characters.")
        })
    })
    .transpose()
}

/// A duration with its unit.
pub(super) fn older_than(text: Option<&str>) -> Result<Duration, Refusal> {
    let parse = |text| Span::parse(text).map(|span| span.0);
    text.map_or(Ok(Duration::ZERO), parse)
        .map_err(|_| Refusal::invalid("`older_than` must be a duration with a unit: 30s, 5m, 1h or 7d."))
}

/// How many entries a page has.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Refusal> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Refusal::invalid(format!("`limit` must be between 1 and {PAGE_MAX}."))),
    }
}
