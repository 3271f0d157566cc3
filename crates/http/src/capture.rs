//! Reading the inner service's answer, up to what is kept of it and what there is room for.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header, response::Parts};
use http_body_util::BodyExt;
use onlyonce_core::outcome::Inner;

use crate::{
    body::BoxError,
    buffers::{Buffers, Reserved},
    headers,
    inner::{self, Addressed},
    observed::Observed,
    rules::Rules,
};

/// What was seen of an answer.
pub(crate) enum Seen<B> {
    /// All of it, and what a layer of our own kind says in it.
    Whole { parts: Parts, body: Bytes, trailers: Option<HeaderMap>, inner: Option<Inner> },
    /// More than is kept, or a stream of events: what was read so far, and where the rest comes from.
    Large { parts: Parts, prefix: Prefix, rest: Pin<Box<B>> },
    /// None, or not to its end.
    Not(Observed),
    /// The handler panicked, or gave an error instead of an answer.
    Failed,
}

/// The beginning of an answer, with its room.
#[derive(Debug)]
pub struct Prefix {
    chunks: VecDeque<Bytes>,
    size: usize,
    room: Option<Reserved>,
}

/// How an answer is read.
pub(crate) struct Reading {
    pub(crate) rules: Arc<Rules>,
    pub(crate) buffers: Arc<Buffers>,
    /// The key that went to the service.
    pub(crate) key: Option<HeaderValue>,
}

/// Reads up to the [`limit`].
pub(crate) async fn read<B>(answer: Response<B>, reading: &Reading) -> Seen<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let Reading { rules, buffers, key } = reading;
    let (parts, body) = answer.into_parts();
    if let Some(observed) = parts.extensions.get::<Observed>() {
        return Seen::Not(*observed);
    }
    let mut rest = Box::pin(body);
    let mut prefix = Prefix { chunks: VecDeque::new(), size: 0, room: Some(buffers.reserve()) };
    let Some(limit) = limit(rules, &parts.headers) else {
        return Seen::Large { parts, prefix, rest };
    };
    let is_problem = inner::is_problem(&parts.headers);
    let mut trailers = None;
    loop {
        match rest.frame().await {
            None => break,
            Some(Err(_)) => return Seen::Not(Observed::Lost { seen_status: Some(parts.status.as_u16()) }),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if !prefix.take(data) || prefix.size > limit {
                        return Seen::Large { parts, prefix, rest };
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
    let body = prefix.joined();
    let addressed = Addressed { base: &rules.problem_base, key: key.as_ref() };
    let inner = if is_problem { inner::word(&parts.headers, &body, &addressed) } else { None };
    Seen::Whole { parts, body, trailers, inner }
}

/// How much of an answer is read before its attempt ends; `None` of a stream of events: it has no end that could be waited
/// for. A problem document is read beyond what is kept, as far as one of ours may be long: what it says counts, however
/// little is kept.
pub(crate) fn limit(rules: &Rules, headers: &HeaderMap) -> Option<usize> {
    let is_stream = headers::is_of_type(headers, header::CONTENT_TYPE, "text/event-stream");
    let document = if inner::is_problem(headers) { inner::DOCUMENT_LIMIT } else { 0 };
    (!is_stream).then(|| rules.answer_limit.max(document))
}

impl Prefix {
    /// Takes one more chunk; `false` if there is no room for it: it is held all the same, and has to go out now.
    fn take(&mut self, chunk: Bytes) -> bool {
        let fits = self.room.as_mut().is_some_and(|room| room.grow(chunk.len()));
        self.size += chunk.len();
        self.chunks.push_back(chunk);
        fits
    }

    /// The next chunk on its way out.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front();
        if self.chunks.is_empty() {
            self.room = None;
        }
        chunk
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn joined(mut self) -> Bytes {
        let whole = if self.chunks.len() <= 1 {
            self.chunks.pop_front().unwrap_or_default()
        } else {
            let mut whole = BytesMut::with_capacity(self.size);
            self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
            whole.freeze()
        };
        match self.room {
            Some(room) => room.hold(whole),
            None => whole,
        }
    }
}
