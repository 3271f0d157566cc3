//! What arrived.

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};

/// A request as the application got it, whole.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The fresh value by which its operation is known; `None`: it is none of this check's.
    pub token: Option<String>,
}

impl Arrival {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Self { method: parts.method, path, headers: parts.headers, body, token: None }
    }

    /// A header's value as text; `None` if it is absent or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Path without query.
    pub(super) fn place(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}
