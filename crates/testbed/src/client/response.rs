//! An answer as it was read.

use crate::Headers;

/// A complete answer: it was read to its declared end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code of the final answer.
    pub status: u16,
    /// The header lines, in order, as written.
    pub headers: Headers,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
    /// The trailers of a chunked body.
    pub trailers: Headers,
    /// The 1xx answers that came before, in order. (A 101 is final.)
    pub interim: Vec<Interim>,
}

/// A 1xx answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interim {
    /// Its status code.
    pub status: u16,
    /// Its header lines.
    pub headers: Headers,
}

impl Response {
    /// The value of the first header line of this name (any case). Panics if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON, with the answer in the message.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("an answer with a JSON body ({error}): {} {}", self.status, self.text())
        })
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
