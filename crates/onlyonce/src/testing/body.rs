//! A request's body that can break off.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};

/// The body of a request that [`assert_once`](super::assert_once) sends: whole, or broken off half way.
#[derive(Debug)]
pub struct TestBody {
    bytes: Option<Bytes>,
    breaks: bool,
}

impl TestBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes), breaks: false }
    }

    pub(super) fn broken_off(mut bytes: Bytes) -> Self {
        bytes.truncate(bytes.len() / 2);
        Self { bytes: Some(bytes), breaks: true }
    }
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None if self.breaks => Some(Err(io::ErrorKind::ConnectionReset.into())),
            None => None,
        };
        Poll::Ready(frame)
    }
}
