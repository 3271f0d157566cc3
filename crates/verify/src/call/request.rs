//! A request, ready to go out, and to go out again.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{Fault, Minted};

/// A request. Its clones are the same request: same key, same bytes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// All headers but `Host` and `Content-Length`, the key's and the credential's among them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whose it is; what shows that is among the headers.
    pub who: Who,
    /// How it goes out.
    pub manner: Manner,
    /// What befalls it on the way.
    pub fault: Fault,
    /// A body that stands for another request, where the plan gives one.
    pub changed: Option<Bytes>,
    /// What stands in its path as a key.
    pub in_path: Option<String>,
    /// The fresh value in it by which an application behind the system knows it again.
    pub token: String,
    /// All fresh values that were made for it.
    pub minted: Vec<Minted>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// The caller whom the plan names first.
    #[default]
    First,
    /// The other one.
    Second,
    /// Nobody: without a credential.
    Nobody,
    /// Somebody who shows a credential that nobody was given.
    Stranger,
}

/// How a request goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// At once; the answer is awaited.
    #[default]
    Whole,
    /// At once; the client hangs up so long after its last byte.
    HangUp(Duration),
    /// Head and half of the body, then the client hangs up.
    Half,
    /// The body in two pieces, so far apart.
    Slow(Duration),
}

impl Request {
    /// Whether it is the same to whoever gets it, however it comes.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        (&self.method, &self.path, &self.headers, &self.body)
            == (&other.method, &other.path, &other.headers, &other.body)
    }

    /// With another header, in place of any of that name.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With another body of the same type.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sent in another manner.
    #[must_use]
    pub const fn sent(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// With a fault on its way.
    #[must_use]
    pub const fn meeting(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// How often it goes out.
    pub(crate) fn times(&self) -> usize {
        if self.fault == Fault::Duplicated { 2 } else { 1 }
    }

    /// Whether its body is JSON, by its content type.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let essence = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        essence.is_some_and(|essence| {
            let essence = essence.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
        })
    }
}
