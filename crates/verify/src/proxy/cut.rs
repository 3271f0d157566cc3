//! An answer that ends in its middle.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The first half of a body that says it is whole; then the connection breaks.
pub(super) struct Cut {
    half: Bytes,
    whole: u64,
    leaves: Pin<Box<Sleep>>,
}

/// How long the half that was handed over may need to leave.
const LEAVES: Duration = Duration::from_millis(20);

impl Cut {
    pub(super) fn in_the_middle(body: &Bytes) -> Self {
        Self { half: body.slice(..body.len() / 2), whole: body.len() as u64, leaves: Box::pin(sleep(LEAVES)) }
    }
}

impl Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.half.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.half)))));
        }
        ready!(self.leaves.as_mut().poll(context));
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}
