//! How long a request's head may take, counted from its first byte, and apart from how long a connection may be idle.
//!
//! hyper has one clock for both, and it starts when the last answer ends. A proxy keeps idle connections for a minute
//! and more; with ten seconds for both, it would write its next request into a connection that is being closed.
//! Invariant: the clock runs exactly while some of a head has come and the rest has not.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::Service};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const SERVING: u8 = 2;

/// What a client is told whose head did not arrive in time (RFC 9110, section 15.5.9).
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Where a connection stands between its requests; shared by its socket and its service.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn(Arc<AtomicU8>);

/// A socket that fails if a head takes too long.
pub(super) struct HeadTimed<S> {
    socket: S,
    turn: Turn,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether something of an answer still waits to be taken by the socket.
    writing: bool,
}

/// The service behind such a socket: it tells when a head has arrived, and when the next one may begin.
pub(super) struct InTurns<S> {
    service: S,
    turn: Turn,
}

pin_project_lite::pin_project! {
    /// An answer to come, whose body ends the turn.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        turn: Option<Turn>,
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer; its end is the end of the request's turn.
    pub(super) struct InTurn<B> {
        #[pin]
        body: B,
        _end: Option<End>,
    }
}

struct End(Turn);

impl Turn {
    fn stands(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> InTurns<S> {
    pub(super) const fn new(service: S, turn: Turn) -> Self {
        Self { service, turn }
    }
}

impl<S, B> Service<Request<Incoming>> for InTurns<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Response = Response<InTurn<B>>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.turn.0.store(SERVING, Ordering::Relaxed);
        // Over HTTP/2 there is no next head to wait for: streams have bounds of their own.
        let turn = (request.version() < Version::HTTP_2).then(|| self.turn.clone());
        Answering { answer: self.service.call(request), turn }
    }
}

impl<F, B, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<InTurn<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(context));
        let _end = this.turn.take().map(End);
        Poll::Ready(answer.map(|answer| answer.map(|body| InTurn { body, _end })))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.store(IDLE, Ordering::Relaxed);
    }
}

impl<S> HeadTimed<S> {
    pub(super) fn new(socket: S, turn: Turn, limit: Duration) -> Self {
        Self { socket, turn, limit, timer: None, writing: false }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HeadTimed<S> {
    fn timed_out(&mut self, context: &mut Context<'_>) -> io::Error {
        if !self.writing {
            // A courtesy: whether it arrives changes nothing.
            let _ = Pin::new(&mut self.socket).poll_write(context, TIMED_OUT);
        }
        io::Error::new(io::ErrorKind::TimedOut, "a request's head took too long")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadTimed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        match Pin::new(&mut this.socket).poll_read(context, into) {
            Poll::Ready(Ok(())) => {
                if this.turn.stands() == IDLE && into.filled().len() > before {
                    this.turn.0.store(HEAD, Ordering::Relaxed);
                    this.timer = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.turn.stands() == HEAD => {
                let limit = this.limit;
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                ready!(timer.as_mut().poll(context));
                Poll::Ready(Err(this.timed_out(context)))
            }
            other => other,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadTimed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.writing = !matches!(written, Poll::Ready(Ok(count)) if count == bytes.len());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.writing = !matches!(written, Poll::Ready(Ok(count)) if count == all);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<B: Body<Data = Bytes>> Body for InTurn<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
