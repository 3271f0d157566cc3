//! Reading the inner service's answer, up to what is kept of it.

use std::{collections::VecDeque, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, response::Parts};
use http_body_util::BodyExt;

use crate::{body::BoxError, observed::Observed};

/// What was seen of an answer.
pub(crate) enum Seen<B> {
    /// All of it.
    Whole { parts: Parts, body: Bytes, trailers: Option<HeaderMap> },
    /// More than is kept: what was read so far, and where the rest comes from.
    Large { parts: Parts, prefix: VecDeque<Bytes>, rest: Pin<Box<B>> },
    /// None, or not to its end.
    Not(Observed),
    /// The handler panicked, or gave an error instead of an answer.
    Failed,
}

pub(crate) async fn read<B>(answer: Response<B>, limit: usize) -> Seen<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = answer.into_parts();
    if let Some(observed) = parts.extensions.get::<Observed>() {
        return Seen::Not(*observed);
    }
    let mut rest = Box::pin(body);
    let mut chunks = VecDeque::new();
    let mut size = 0;
    let mut trailers = None;
    loop {
        match rest.frame().await {
            None => break,
            Some(Err(_)) => return Seen::Not(Observed::Lost { seen_status: Some(parts.status.as_u16()) }),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    size += data.len();
                    chunks.push_back(data);
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
        if size > limit {
            return Seen::Large { parts, prefix: chunks, rest };
        }
    }
    Seen::Whole { parts, body: joined(chunks, size), trailers }
}

fn joined(mut chunks: VecDeque<Bytes>, size: usize) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(size);
    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}
