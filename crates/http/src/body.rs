//! The body of an answer: passed through, whole in memory, or begun in memory and streamed on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::{capture::Prefix, headers, observe::AnswerTap};

/// What goes wrong with a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer; `B` is the inner service's.
#[derive(Debug)]
pub enum Body<B> {
    /// The inner service's own.
    Through(Pin<Box<B>>),
    /// Whole, with its trailers.
    Whole {
        /// The bytes.
        bytes: Option<Bytes>,
        /// The trailers.
        trailers: Option<HeaderMap>,
    },
    /// The inner service's own, followed to its end.
    Observed {
        /// The body.
        body: Pin<Box<B>>,
        /// Who follows it.
        tap: Box<AnswerTap>,
    },
    /// Too large to keep: what was read so far, then the rest as it comes.
    Spilled {
        /// What was read.
        prefix: Prefix,
        /// What is to come.
        rest: Pin<Box<B>>,
    },
}

impl<B> Body<B> {
    /// A whole body.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::with_trailers(bytes, None)
    }

    /// A whole body with trailers.
    pub fn with_trailers(bytes: impl Into<Bytes>, trailers: Option<HeaderMap>) -> Self {
        let bytes = bytes.into();
        Self::Whole { bytes: (!bytes.is_empty()).then_some(bytes), trailers }
    }

    /// The inner service's body as it is.
    pub fn through(body: B) -> Self {
        Self::Through(Box::pin(body))
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole { bytes, trailers } => {
                let frame = bytes.take().map(Frame::data).or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            Self::Spilled { prefix, .. } if !prefix.is_empty() => {
                Poll::Ready(prefix.next().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Through(body) => pass(ready!(body.as_mut().poll_frame(context)), |trailers| {
                // Said to this layer, also where it does not listen.
                trailers.remove(headers::OUTCOME);
            }),
            Self::Observed { body, tap } => {
                let frame = ready!(body.as_mut().poll_frame(context));
                match &frame {
                    Some(Ok(frame)) => tap.saw(frame),
                    Some(Err(_)) => tap.broke(),
                    None => tap.ended(),
                }
                pass(frame, |_| {})
            }
            Self::Spilled { rest, .. } => pass(ready!(rest.as_mut().poll_frame(context)), |trailers| {
                *trailers = headers::kept(trailers, &[]);
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Through(body) | Self::Observed { body, .. } => body.is_end_stream(),
            Self::Whole { bytes, trailers } => bytes.is_none() && trailers.is_none(),
            Self::Spilled { prefix, rest } => prefix.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Through(body) | Self::Observed { body, .. } => body.size_hint(),
            // Trailers need chunked coding in HTTP/1.1, so no exact size may be announced with them.
            Self::Whole { trailers: Some(_), .. } => SizeHint::default(),
            Self::Whole { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Spilled { .. } => SizeHint::default(),
        }
    }
}

fn pass<E: Into<BoxError>>(
    mut frame: Option<Result<Frame<Bytes>, E>>,
    change: impl FnOnce(&mut HeaderMap),
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    if let Some(Ok(frame)) = &mut frame
        && let Some(trailers) = frame.trailers_mut()
    {
        change(trailers);
    }
    Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
}
