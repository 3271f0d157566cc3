//! The body of a request as the inner service sees it: streamed through, or whole because it is keyed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::observe::BodyTap;

pin_project_lite::pin_project! {
    /// The body of a request; `B` is the one that came.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Kind<B> {
        Through { #[pin] body: B },
        Whole { bytes: Option<Bytes> },
        Observed { #[pin] body: B, tap: BodyTap },
    }
}

impl<B> RequestBody<B> {
    /// The body that came, as it comes.
    pub const fn through(body: B) -> Self {
        Self { kind: Kind::Through { body } }
    }
}

impl<B: Body> RequestBody<B> {
    /// The body that came, as it comes, and copied as it goes by.
    pub(crate) fn observed(body: B, mut tap: BodyTap) -> Self {
        if body.is_end_stream() {
            // Nobody asks an empty body for anything.
            tap.ended();
        }
        Self { kind: Kind::Observed { body, tap } }
    }
}

impl<B> From<Bytes> for RequestBody<B> {
    /// All of it.
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole { bytes: (!bytes.is_empty()).then_some(bytes) } }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            Projected::Through { body } => body.poll_frame(context),
            Projected::Observed { mut body, tap } => {
                let frame = ready!(body.as_mut().poll_frame(context));
                match &frame {
                    Some(Ok(frame)) => tap.saw(frame),
                    Some(Err(_)) => tap.broke(),
                    None => tap.ended(),
                }
                if body.is_end_stream() {
                    tap.ended();
                }
                Poll::Ready(frame)
            }
            Projected::Whole { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Through { body } | Kind::Observed { body, .. } => body.is_end_stream(),
            Kind::Whole { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Through { body } | Kind::Observed { body, .. } => body.size_hint(),
            Kind::Whole { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}
