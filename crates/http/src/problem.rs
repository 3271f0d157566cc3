//! Problem documents (RFC 9457): what was refused, what was kept, what to do now.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use onlyonce_core::{
    OperationRef, Timestamp,
    problem::{Next, Problem},
};
use serde_json::{Map, Value};

use crate::{body::Body, rules::Rules, telemetry::Named};

/// Where an operation's owner asks what became of it; its `operation_ref` follows.
pub const OPERATIONS_PATH: &str = "/.well-known/idempotency/operations/";

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Refused {
    problem: Problem,
    status: StatusCode,
    retryable: bool,
    next: Next,
    retry_after: Option<u64>,
    detail: String,
    members: Map<String, Value>,
    accepted: Option<Bytes>,
}

impl Refused {
    /// A refusal; `detail` says in plain words what happened, what was kept and what to do.
    pub fn new(problem: Problem, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(problem.status).expect("the catalogue holds statuses"),
            retryable: problem.retryable,
            next: problem.next,
            problem,
            retry_after: None,
            detail: detail.into(),
            members: Map::new(),
            accepted: None,
        }
    }

    /// With another status than the usual one.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// For a case in which sending the same again does help.
    #[must_use]
    pub fn same_key(mut self) -> Self {
        self.retryable = true;
        self.next = Next::SameKey;
        self
    }

    /// Where nobody serves the operations endpoint, nobody is sent there: a person has to find out.
    #[must_use]
    pub(crate) fn within(mut self, rules: &Rules) -> Self {
        if self.next == Next::Poll && !rules.operations {
            self.next = Next::Check;
        }
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// With one more member.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// With the parameters that the key stands for: a JSON document, which is shown as it is. Read and written again, it
    /// might lose digits.
    #[must_use]
    pub fn accepted(mut self, parameters: Bytes) -> Self {
        self.accepted = Some(parameters);
        self
    }

    /// About an operation that exists.
    #[must_use]
    pub fn about(self, reference: OperationRef, state: &str, first_attempt_at: Timestamp) -> Self {
        let url = format!("{OPERATIONS_PATH}{reference}");
        let polls = self.next == Next::Poll;
        let about = self
            .member("operation_ref", reference.to_string())
            .member("state", state)
            .member("first_attempt_at", first_attempt_at.to_string());
        if polls { about.member("operation", url) } else { about }
    }

    /// What is refused.
    pub(crate) const fn problem(&self) -> Problem {
        self.problem
    }

    /// The problem's name.
    pub const fn name(&self) -> &'static str {
        self.problem.name
    }

    /// Status, headers and body of the answer; `base` is what its `type` begins with.
    pub fn document(self, base: &str) -> (StatusCode, HeaderMap, Bytes) {
        let mut document = Map::new();
        document.insert("type".to_owned(), format!("{base}{}", self.problem.name).into());
        document.insert("title".to_owned(), self.problem.title.into());
        document.insert("status".to_owned(), self.status.as_u16().into());
        document.insert("detail".to_owned(), self.detail.into());
        document.insert("retryable".to_owned(), self.retryable.into());
        document.insert("next".to_owned(), self.next.as_str().into());
        document.extend(self.members);
        let mut bytes = serde_json::to_vec(&document).expect("a map of values can be written as JSON");
        if let Some(accepted) = self.accepted {
            bytes.pop();
            bytes.extend_from_slice(b",\"accepted\":");
            bytes.extend_from_slice(&accepted);
            bytes.push(b'}');
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.status, headers, bytes.into())
    }

    /// As an answer.
    pub fn into_response<B>(self, base: &str) -> Response<Body<B>> {
        let named = Named(self.problem);
        let (status, headers, bytes) = self.document(base);
        let mut response = Response::new(Body::whole(bytes));
        response.extensions_mut().insert(named);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
