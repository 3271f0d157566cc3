//! A request as it will be written.

use std::{net::SocketAddr, time::Duration};

use crate::Headers;

/// How long an answer may take, from the first byte written to the last one read, unless the request says
/// otherwise.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A request. Its lines are written as given, in order; `Host` and the body's framing are added after them
/// where no line of that name is given, unless it is [`bare`](Request::bare).
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, as written.
    pub method: String,
    /// The request target, as written: path and query, not normalised, not encoded.
    pub path: String,
    /// The header lines.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    limit: Duration,
    bare: bool,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes, announced by `Content-Length` if there are any or the method is not GET, HEAD or OPTIONS.
    Sized(Vec<u8>),
    /// Chunks (empty ones are left out) and trailers, announced by `Transfer-Encoding`.
    Chunked(Vec<Vec<u8>>, Headers),
}

/// The bytes of a request, cut where the body begins.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            headers: Headers::new(),
            body: Body::Sized(Vec::new()),
            limit: ANSWER_LIMIT,
            bare: false,
        }
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A `POST`.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// Adds a header line; an equal name stays a second line.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Adds `Idempotency-Key: key`, unquoted.
    #[must_use]
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Sized(body.into());
        self
    }

    /// Sets a JSON body and adds its `Content-Type`.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// Sets a chunked body.
    #[must_use]
    pub fn chunked(
        mut self,
        chunks: impl IntoIterator<Item = impl Into<Vec<u8>>>,
        trailers: Headers,
    ) -> Self {
        self.body = Body::Chunked(chunks.into_iter().map(Into::into).collect(), trailers);
        self
    }

    /// Sets how long the answer may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Adds no header line of its own: what is given is all that is written.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The request as it is written to `addr`.
    pub fn to_bytes(&self, addr: impl Into<SocketAddr>) -> Vec<u8> {
        let Written { mut head, body } = self.written(addr.into());
        head.extend(body);
        head
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn written(&self, addr: SocketAddr) -> Written {
        let mut headers = self.headers.clone();
        if !self.bare {
            self.complete(&mut headers, addr);
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        headers.write_to(&mut head);
        head.extend_from_slice(b"\r\n");
        Written { head, body: self.body.written() }
    }

    fn complete(&self, headers: &mut Headers, addr: SocketAddr) {
        if !headers.contains("host") {
            headers.push("Host", addr.to_string());
        }
        if headers.contains("content-length") || headers.contains("transfer-encoding") {
            return;
        }
        match &self.body {
            Body::Chunked(..) => headers.push("Transfer-Encoding", "chunked"),
            Body::Sized(body) if body.is_empty() && self.has_no_body() => {}
            Body::Sized(body) => headers.push("Content-Length", body.len().to_string()),
        }
    }

    fn has_no_body(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

impl Body {
    fn written(&self) -> Vec<u8> {
        match self {
            Self::Sized(body) => body.clone(),
            Self::Chunked(chunks, trailers) => {
                let mut out = Vec::new();
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n");
                trailers.write_to(&mut out);
                out.extend_from_slice(b"\r\n");
                out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 80);

    #[test]
    fn lines_are_written_as_given_and_only_what_is_missing_is_added() {
        let request =
            Request::post("/a?b").header("X", "1").header("host", "h").header("X", [0xff]).body("hi");
        let expected = b"POST /a?b HTTP/1.1\r\nX: 1\r\nhost: h\r\nX: \xff\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(request.to_bytes(ADDR), expected);
        assert_eq!(Request::get("/").to_bytes(ADDR), b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
        assert_eq!(Request::post("/").bare().to_bytes(ADDR), b"POST / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn chunks_are_framed_and_followed_by_trailers() {
        let trailers = [("T", "1")].into_iter().collect();
        let request = Request::post("/").header("Host", "h").chunked(["abc", "", "de"], trailers);
        let expected = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                        3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
        assert_eq!(String::from_utf8(request.to_bytes(ADDR)).unwrap(), expected);
    }
}
