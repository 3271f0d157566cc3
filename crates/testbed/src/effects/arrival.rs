//! A request as the counting upstream sees it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::http::request::Parts;

use super::Effects;
use crate::Headers;

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many requests had arrived before this one.
    pub order: usize,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub path: String,
    /// All header lines. Names are lower case; lines of one name keep their order.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that is being worked on.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The request.
    pub seen: Arc<Seen>,
    effects: Effects,
}

impl Seen {
    /// Its `Idempotency-Key`, unquoted.
    pub fn key(&self) -> Option<String> {
        self.headers.idempotency_key()
    }

    /// Its `Idempotency-Operation`.
    pub fn operation(&self) -> Option<String> {
        self.headers.idempotency_operation()
    }

    /// The value of the first header line of this name (any case). Panics if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a request with a JSON body")
    }

    pub(super) fn new(parts: &Parts, body: &Bytes, connection: usize) -> Self {
        Self {
            order: 0,
            connection,
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers: parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
            body: body.to_vec(),
        }
    }
}

impl Arrival {
    /// Does the effect: counts one execution under the request's key and operation, and returns its unique
    /// id. Each call is one more effect.
    pub fn execute(&self) -> String {
        self.effects.execute(&self.seen)
    }

    /// What the upstream has counted so far, for answers that depend on it (a probe's, a deduplicating
    /// upstream's).
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    pub(super) fn new(seen: Arc<Seen>, effects: Effects) -> Self {
        Self { seen, effects }
    }
}
