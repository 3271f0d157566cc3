//! A body that is held or broken off half way.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Act, Stage};

/// An answer's body, in two halves if something is to happen between them.
pub(super) struct Pieces {
    first: Bytes,
    second: Bytes,
    between: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

/// How long that may take.
const LEAVES: Duration = Duration::from_millis(20);

/// The application breaks off, as it was told to.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokenOff;

impl Pieces {
    pub(super) fn new(mut body: Bytes, act: &Act) -> Self {
        let parted = act.cut == Some(Stage::MidAnswer) || act.barrier(Stage::MidAnswer).is_some();
        if !parted {
            return Self { first: body, second: Bytes::new(), between: None };
        }
        let second = body.split_off(body.len() / 2);
        let act = act.clone();
        let between = async move {
            // The first half has to leave this process before anything befalls the second.
            tokio::time::sleep(LEAVES).await;
            act.pass(Stage::MidAnswer).await
        };
        Self { first: body, second, between: Some(Box::pin(between)) }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        if let Some(between) = &mut self.between {
            let goes_on = ready!(between.as_mut().poll(context));
            self.between = None;
            if !goes_on {
                return Poll::Ready(Some(Err(BrokenOff)));
            }
        }
        match self.second.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.second))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.second.is_empty() && self.between.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.first.len() + self.second.len()) as u64)
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off")
    }
}

impl std::error::Error for BrokenOff {}
