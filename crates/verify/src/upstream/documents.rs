//! Documents that are read, replaced and removed by their paths.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::Arrival;

/// Documents by path, with their versions.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    kept: HashMap<String, (u64, Bytes)>,
    version: u64,
}

/// Most of them; a check needs one or two.
const KEPT_MAX: usize = 1_000;

impl Documents {
    /// Reads, replaces or removes the one at this path; judged by `If-Match` first (RFC 9110, section 13.1.1).
    pub(crate) fn serve(&mut self, arrival: &Arrival) -> (StatusCode, HeaderMap, Bytes) {
        let path = arrival.place();
        let present = self.kept.get(path).cloned();
        let current = present.as_ref().map(|(version, _)| tag(*version));
        if let Some(wanted) = arrival.header("if-match").filter(|wanted| *wanted != "*")
            && current.as_ref().is_none_or(|current| wanted != current)
        {
            return (StatusCode::PRECONDITION_FAILED, HeaderMap::new(), Bytes::new());
        }
        match (&arrival.method, present) {
            (&Method::GET | &Method::HEAD, Some((version, body))) => (StatusCode::OK, headers(version), body),
            (&Method::PUT, present) => {
                let status = if present.is_some() { StatusCode::OK } else { StatusCode::CREATED };
                let version = self.put(path, &arrival.body);
                (status, headers(version), arrival.body.clone())
            }
            (&Method::DELETE, Some(_)) => {
                self.kept.remove(path);
                (StatusCode::NO_CONTENT, HeaderMap::new(), Bytes::new())
            }
            (&Method::GET | &Method::HEAD | &Method::DELETE, None) => {
                (StatusCode::NOT_FOUND, HeaderMap::new(), Bytes::new())
            }
            _ => (StatusCode::METHOD_NOT_ALLOWED, HeaderMap::new(), Bytes::new()),
        }
    }

    /// The one at this path.
    pub(crate) fn get(&self, path: &str) -> Option<Bytes> {
        self.kept.get(path).map(|(_, body)| body.clone())
    }

    fn put(&mut self, path: &str, body: &Bytes) -> u64 {
        if self.kept.len() >= KEPT_MAX {
            self.kept.clear();
        }
        self.version += 1;
        self.kept.insert(path.to_owned(), (self.version, body.clone()));
        self.version
    }
}

fn tag(version: u64) -> String {
    format!("\"v{version}\"")
}

fn headers(version: u64) -> HeaderMap {
    let tag = HeaderValue::try_from(tag(version)).expect("a number is ASCII");
    let json = HeaderValue::from_static("application/json");
    HeaderMap::from_iter::<[(HeaderName, HeaderValue); 2]>([
        (header::ETAG, tag),
        (header::CONTENT_TYPE, json),
    ])
}
