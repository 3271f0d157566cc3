//! What a client sees of an answer, as far as repeats must agree.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use onlyonce_http::headers;

use crate::service::BoxError;

/// An answer. Two are the same if status, body and those headers are that are kept with a result.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    /// Reads it to its end; an answer that breaks off is an error.
    pub(super) async fn of<R>(answer: Response<R>) -> Result<Self, BoxError>
    where
        R: http_body::Body<Data = Bytes>,
        R::Error: Into<BoxError>,
    {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(Into::into)?.to_bytes();
        Ok(Self { status: parts.status, headers: parts.headers, body })
    }

    /// Whether it asks to come again with the same key: the first is still at work.
    pub(super) fn says_later(&self) -> bool {
        let later = [StatusCode::CONFLICT, StatusCode::SERVICE_UNAVAILABLE].contains(&self.status);
        later && self.headers.contains_key(http::header::RETRY_AFTER)
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        let kept = |seen: &Self| headers::kept(&seen.headers, &[]);
        self.status == other.status && self.body == other.body && kept(self) == kept(other)
    }
}

/// Status and the beginning of the body: what a person looks for first.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
        write!(f, "{} {shown:?}", self.status)
    }
}
