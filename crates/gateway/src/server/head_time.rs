//! How long a request's head may take, counted from its first byte, how long the first one may be waited for, and how
//! long a client may take nothing of what is written to it.
//!
//! hyper has one clock for the first two, which starts when the last answer ends, and none before it knows which HTTP is spoken.
//! A proxy keeps idle connections for a minute and more; with ten seconds for both, it would write its next request into
//! a connection that is being closed. So hyper's clock is the one between requests, and this one runs exactly while some
//! of a head has come and the rest has not, or nothing at all since the connection was opened.
//!
//! HTTP/2 is told by its preface, and has no clock here: a connection may be opened long before it is used, frames of
//! many streams are interleaved, and whether a peer lives is asked by pings.
//!
//! A client that does not read holds what is buffered for it. The clock for that runs while the socket takes nothing, in
//! every HTTP; a stream of HTTP/2 that its flow control holds back is not seen here, but by `streams`.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::Service};
use onlyonce_http::body::BoxError;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::streams::{Piecewise, Streams};
use crate::joined::Joined;

/// The preface of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client is told whose head did not arrive in time (RFC 9110, section 15.5.9).
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The requests of a connection; shared by its socket and its service.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// The clocks of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For a request's head, from its first byte; beyond it 408.
    pub(crate) head: Duration,
    /// For the first byte of the next one.
    pub(crate) idle: Duration,
    /// For the client to take some of what is written to it.
    pub(crate) stall: Duration,
}

/// What has come since the last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Come {
    /// So many bytes of the preface of HTTP/2, and nothing else; only at the beginning.
    Preface(usize),
    /// Some of a head.
    Head,
    /// Nothing.
    Nothing,
    /// It was HTTP/2.
    Frames,
}

/// A socket that fails if a head takes too long or nothing is taken, and ends if nothing comes.
pub(super) struct HeadTimed<S> {
    socket: S,
    turn: Turn,
    times: Times,
    come: Come,
    /// How many requests had begun when that was noted.
    begun: usize,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether something of an answer still waits to be taken by the socket.
    writing: bool,
    /// Runs while nothing is taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The service behind such a socket: it tells when a head has arrived, and when the next one may begin. What it answers in
/// HTTP/2 has the clock of `streams`.
pub(super) struct InTurns<S> {
    service: S,
    turn: Turn,
    streams: Arc<Streams>,
}

pin_project_lite::pin_project! {
    /// An answer to come, whose body ends the turn.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        end: Option<End>,
        streams: Option<Arc<Streams>>,
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer; its end is the end of the request's turn.
    pub(super) struct InTurn<B> {
        #[pin]
        body: Given<B>,
        _end: Option<End>,
    }
}

pin_project_lite::pin_project! {
    #[project = Projected]
    enum Given<B> {
        Whole { #[pin] body: B },
        Piecewise { body: Piecewise<B> },
    }
}

struct End(Turn);

impl Turn {
    fn begin(&self) -> End {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        End(self.clone())
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn is_under_way(&self) -> bool {
        self.begun() != self.0.ended.load(Ordering::Relaxed)
    }
}

impl<S> InTurns<S> {
    pub(super) fn new(service: S, turn: Turn, times: Times) -> Self {
        Self { service, turn, streams: Arc::new(Streams::new(times.stall)) }
    }
}

impl<S, B> Service<Request<Incoming>> for InTurns<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<InTurn<B>>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let streams = (request.version() == Version::HTTP_2).then(|| Arc::clone(&self.streams));
        Answering { end: Some(self.turn.begin()), answer: self.service.call(request), streams }
    }
}

impl<F, B, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Output = Result<Response<InTurn<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(context));
        let _end = this.end.take();
        let streams = this.streams.take();
        let given = |body| match streams {
            Some(streams) => Given::Piecewise { body: streams.give(body) },
            None => Given::Whole { body },
        };
        Poll::Ready(answer.map(|answer| answer.map(|body| InTurn { body: given(body), _end })))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl<S> HeadTimed<S> {
    pub(super) fn new(socket: S, turn: Turn, times: Times) -> Self {
        Self {
            socket,
            turn,
            times,
            come: Come::Preface(0),
            begun: 0,
            timer: None,
            writing: false,
            stalled: None,
        }
    }

    /// A request that has begun has its head: what comes next is another one's.
    fn catch_up(&mut self) {
        let begun = self.turn.begun();
        if begun != self.begun && self.come != Come::Frames {
            (self.come, self.timer) = (Come::Nothing, None);
        }
        self.begun = begun;
    }

    /// Takes note of bytes that came between requests.
    fn heard(&mut self, bytes: &[u8]) {
        let now = match self.come {
            Come::Preface(seen) => match PREFACE.get(seen..) {
                Some(rest) if bytes.starts_with(rest) => Come::Frames,
                Some(rest) if rest.starts_with(bytes) => Come::Preface(seen + bytes.len()),
                _ => Come::Head,
            },
            Come::Frames => Come::Frames,
            Come::Nothing | Come::Head => Come::Head,
        };
        // From its first byte on a head has one clock, also while it may be a preface.
        if matches!(self.come, Come::Preface(0) | Come::Nothing) || now == Come::Frames {
            self.timer = None;
        }
        self.come = now;
    }

    /// Resolves if what is missing does not come in time.
    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = match self.come {
            Come::Preface(0) => self.times.idle,
            Come::Preface(_) | Come::Head => self.times.head,
            Come::Nothing | Come::Frames => return Poll::Pending,
        };
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(context)
    }

    /// What became of an attempt to write; an error once nothing was taken for too long.
    fn within_time<T>(
        &mut self,
        context: &mut Context<'_>,
        taken: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.stalled = None;
            return taken;
        }
        let limit = self.times.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its answer")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HeadTimed<S> {
    /// What the reader is told when time is over: that there is no more, or that something is missing.
    fn timed_out(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.come == Come::Preface(0) {
            return Ok(());
        }
        if !self.writing {
            // A courtesy: whether it arrives changes nothing.
            let _ = Pin::new(&mut self.socket).poll_write(context, TIMED_OUT);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "a request's head took too long"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadTimed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.catch_up();
        let before = into.filled().len();
        match Pin::new(&mut this.socket).poll_read(context, into) {
            Poll::Ready(Ok(())) => {
                if !this.turn.is_under_way() {
                    this.heard(into.filled().get(before..).unwrap_or_default());
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if !this.turn.is_under_way() => {
                ready!(this.poll_time(context));
                Poll::Ready(this.timed_out(context))
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
        self.within_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let socket = Pin::new(&mut self.socket);
        let written = match Joined::new().of(slices) {
            Some(bytes) => socket.poll_write(context, bytes),
            None => socket.poll_write_vectored(context, slices),
        };
        self.writing = !matches!(written, Poll::Ready(Ok(count)) if count == all);
        self.within_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        // A socket without a buffer of its own has nothing to flush, also while it takes nothing.
        if self.writing && flushed.is_ready() { flushed } else { self.within_time(context, flushed) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<B> Body for InTurn<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().body.project() {
            Projected::Whole { body } => {
                body.poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Projected::Piecewise { body } => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Given::Whole { body } => body.is_end_stream(),
            Given::Piecewise { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Given::Whole { body } => body.size_hint(),
            Given::Piecewise { body } => body.size_hint(),
        }
    }
}
