//! Reading the inner service's answer, up to what is kept of it and what there is room for.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header, response::Parts};
use http_body_util::BodyExt;
use onlyonce_core::outcome::Inner;
use onlyonce_ledger::begin::RESERVED_RESULT;

use crate::{
    body::BoxError,
    buffers::Reserved,
    headers,
    inner::{self, Addressed},
    rules::Rules,
    sending::NoAnswer,
    stored::Stored,
};

/// What was seen of an answer.
pub(crate) enum Seen<B> {
    /// All of it.
    Whole { parts: Parts, whole: Whole },
    /// More than is kept, or a stream of events: what was read so far, and where the rest comes from.
    Large { parts: Parts, prefix: Prefix, rest: Pin<Box<B>> },
    /// None, or not to its end.
    NoAnswer(NoAnswer),
    /// The handler panicked, or gave an error instead of an answer.
    Failed,
}

/// An answer's body and trailers, and what a layer of our own kind says in it.
pub(crate) struct Whole {
    body: Bytes,
    /// The body's, until that holds it itself.
    room: Option<Reserved>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) inner: Option<Inner>,
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
    pub(crate) room: Reserved,
    /// The key that went to the service.
    pub(crate) key: Option<HeaderValue>,
}

/// Reads up to the [`limit`].
pub(crate) async fn read<B>(answer: Response<B>, reading: Reading) -> Seen<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let Reading { rules, room, key } = reading;
    let (parts, body) = answer.into_parts();
    if let Some(why) = parts.extensions.get::<NoAnswer>() {
        return Seen::NoAnswer(*why);
    }
    let mut rest = Box::pin(body);
    let mut prefix = Prefix { chunks: VecDeque::new(), size: 0, room: Some(room) };
    let Some(limit) = limit(&rules, &parts.headers) else {
        return Seen::Large { parts, prefix, rest };
    };
    let is_problem = inner::is_problem(&parts.headers);
    let always = if is_problem { inner::DOCUMENT_LIMIT.max(RESERVED_RESULT) } else { RESERVED_RESULT };
    let mut trailers = None;
    loop {
        match rest.frame().await {
            None => break,
            Some(Err(_)) => {
                return Seen::NoAnswer(NoAnswer::Lost { seen_status: Some(parts.status.as_u16()) });
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if !prefix.take(data, always) || prefix.size > limit {
                        return Seen::Large { parts, prefix, rest };
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
    let (body, room) = prefix.joined();
    let addressed = Addressed { base: &rules.problem_base, key: key.as_ref() };
    let inner = if is_problem { inner::word(&parts.headers, &body, &addressed) } else { None };
    Seen::Whole { parts, whole: Whole { body, room, trailers, inner } }
}

/// How much of an answer is read before its attempt ends; `None` of a stream of events: it has no end that could be waited
/// for. A problem document is read beyond what is kept, as far as one of ours may be long: what it says counts, however
/// little is kept.
pub(crate) fn limit(rules: &Rules, headers: &HeaderMap) -> Option<usize> {
    let is_stream = headers::is_of_type(headers, header::CONTENT_TYPE, "text/event-stream");
    let document = if inner::is_problem(headers) { inner::DOCUMENT_LIMIT } else { 0 };
    (!is_stream).then(|| rules.answer_limit.max(document))
}

impl Whole {
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// As repeats get it. From here on the body is a part of that, so the two are in memory once, and counted until the
    /// last of all who wait for it has it.
    pub(crate) fn encode(&mut self, rules: &Rules, parts: &Parts) -> Bytes {
        let head = (parts.status, &parts.headers);
        let stored = Stored::keep(head, self.body.clone(), self.trailers.as_ref(), &rules.drop);
        let encoded = stored.encode();
        let encoded = match self.room.take() {
            Some(room) => room.hold(encoded),
            None => encoded,
        };
        self.body = encoded.slice(encoded.len() - self.len()..);
        encoded
    }

    /// The body, for the one who asked first.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.room {
            Some(room) => room.hold(self.body),
            None => self.body,
        }
    }
}

impl Prefix {
    /// Takes one more chunk; `false` if there is no room for it: it is held all the same, and has to go out now. Up to
    /// `always` bytes there is.
    fn take(&mut self, chunk: Bytes, always: usize) -> bool {
        let bytes = chunk.len();
        self.size += bytes;
        self.chunks.push_back(chunk);
        let Some(room) = &mut self.room else { return false };
        if room.grow(bytes) {
            return true;
        }
        let has_its_own = self.size <= always;
        if has_its_own {
            room.take(bytes);
        }
        has_its_own
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

    fn joined(mut self) -> (Bytes, Option<Reserved>) {
        let whole = if self.chunks.len() <= 1 {
            self.chunks.pop_front().unwrap_or_default()
        } else {
            let mut whole = BytesMut::with_capacity(self.size);
            self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
            whole.freeze()
        };
        (whole, self.room)
    }
}
