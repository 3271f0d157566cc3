//! What the counting upstream answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, header::HeaderValue};

use super::Seen;
use crate::Headers;

/// An answer: `Content-Length` and `Date` are added to it on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without headers and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: Vec::new() }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status).header("content-type", "application/json").body(body.to_string())
    }

    /// 201 with `{"effect": …, "key": …, "path": …}`: no two executions answer the same bytes.
    pub fn created(effect: &str, seen: &Seen) -> Self {
        Self::json(201, &serde_json::json!({ "effect": effect, "key": seen.key(), "path": seen.path }))
    }

    /// Adds a header line; an equal name stays a second line.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a test's status is a status");
        for (name, value) in self.headers.iter() {
            let name = hyper::header::HeaderName::from_bytes(name).expect("a test's header name is one");
            let value = HeaderValue::from_bytes(value).expect("a test's header value is one");
            response.headers_mut().append(name, value);
        }
        response
    }
}
