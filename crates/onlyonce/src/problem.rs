//! What a handler answers instead of a result: a problem document, with what it says of the operation.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use onlyonce_core::{
    OperationRef, Outcome,
    problem::{OUTCOME_UNKNOWN, UPSTREAM_UNREACHABLE, URN_BASE},
};
use onlyonce_http::{NoAnswer, headers, problem::Refused};
use serde_json::json;

/// A problem document (RFC 9457) that a handler answers with. It says something about the operation only when it is
/// returned.
#[must_use = "a problem that is not returned says nothing"]
pub struct Problem(Box<Response<Bytes>>);

impl Problem {
    /// A failure or refusal of the handler's own, such as 402 for an account without money. Its status says what is kept,
    /// as for any other answer: a 4xx is a result, and repeats get the same.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem");
        let document = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail.into(),
        });
        let mut answer = Response::new(Bytes::from(document.to_string()));
        *answer.status_mut() = status;
        let json = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        Self(Box::new(answer))
    }

    /// With its own say on what becomes of the key, whatever its status says.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.0.extensions_mut().insert(outcome);
        self
    }

    pub(crate) fn released(operation: OperationRef) -> Self {
        let told = Refused::new(
            UPSTREAM_UNREACHABLE,
            "Nothing was sent on and nothing was done. Send the request again with the same key.",
        );
        Self::said(told.retry_after(1), operation, NoAnswer::NotSent, "release")
    }

    pub(crate) fn unknown(operation: OperationRef) -> Self {
        let told = Refused::new(OUTCOME_UNKNOWN, "Whether it took effect is unknown. Do not use a new key.");
        Self::said(
            told.status(StatusCode::BAD_GATEWAY),
            operation,
            NoAnswer::Lost { seen_status: None },
            "unknown",
        )
    }

    /// The layer answers with what came to be on record. The document is for where none listens any more, and the header
    /// for where something in between has replaced the answer and kept its headers.
    fn said(told: Refused, operation: OperationRef, no_answer: NoAnswer, word: &'static str) -> Self {
        let (status, map, body) = told.member("operation_ref", operation.to_string()).document(URN_BASE);
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = map;
        answer.headers_mut().insert(headers::OUTCOME, HeaderValue::from_static(word));
        answer.extensions_mut().insert(no_answer);
        Self(Box::new(answer))
    }

    /// As an answer, for services that are no axum handlers.
    pub fn into_answer(self) -> Response<Bytes> {
        *self.0
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Problem").field(&self.0.status()).finish()
    }
}
