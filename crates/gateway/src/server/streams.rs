//! The answers of one HTTP/2 connection, each with a clock for a client that takes nothing of it.
//!
//! HTTP/1.1 is timed at its socket (`head_time`). In HTTP/2 flow control can hold one stream back while the others go on,
//! and as long as it does hyper asks for nothing, so a body cannot notice that nobody wants it. Therefore answers go out in
//! pieces, and a task beside the connection looks how long ago the last one was given. An answer of which no more was asked
//! for too long is let go, with its bytes and its connection upstream; if its client ever asks for more, the stream ends.
//! An answer for which this side waits has no clock here.
//!
//! A piece that was given is hyper's until the client takes it, so a stream may hold [`PIECE`] bytes for as long as its
//! connection lives. It is a copy: a part of something larger would hold all of it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use onlyonce_http::body::BoxError;
use tokio::{task::AbortHandle, time::Instant};

/// Most bytes that are given at a time.
const PIECE: usize = 16 * 1024;
/// How often answers are looked at within the time that a client has.
const LOOKS: u32 = 4;
/// So many answers are listed before those that are over are taken off; twice as many as there are streams at a time.
const LISTED: usize = 512;

/// The answers of a connection.
pub(super) struct Streams {
    listed: Arc<Listed>,
    limit: Duration,
    /// Looks at them, from the first answer to the end of the connection.
    looking: OnceLock<AbortHandle>,
}

type Listed = Mutex<Vec<Weak<dyn Look>>>;

/// An answer's body, given in pieces.
pub(super) struct Piecewise<B>(Arc<Mutex<Answer<B>>>);

struct Answer<B> {
    stage: Stage<B>,
    /// The rest of what was read of it last.
    rest: Bytes,
    /// When it had something for the client that was not asked for yet.
    given: Option<Instant>,
}

enum Stage<B> {
    Going(Pin<Box<B>>),
    Over,
    LetGo,
}

trait Look: Send + Sync {
    /// Lets go of the answer if nothing was asked of it for so long.
    fn look(&self, limit: Duration);
}

impl Streams {
    pub(super) fn new(limit: Duration) -> Self {
        Self { listed: Arc::default(), limit, looking: OnceLock::new() }
    }

    /// The body as it is given.
    pub(super) fn give<B: Send + 'static>(&self, body: B) -> Piecewise<B> {
        let answer =
            Answer { stage: Stage::Going(Box::pin(body)), rest: Bytes::new(), given: Some(Instant::now()) };
        let answer = Arc::new(Mutex::new(answer));
        let mut listed = lock(&self.listed);
        if listed.len() >= LISTED {
            listed.retain(|answer| answer.strong_count() > 0);
        }
        let weak: Weak<Mutex<Answer<B>>> = Arc::downgrade(&answer);
        listed.push(weak);
        self.looking.get_or_init(|| tokio::spawn(look(Arc::clone(&self.listed), self.limit)).abort_handle());
        Piecewise(answer)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        if let Some(looking) = self.looking.get() {
            looking.abort();
        }
    }
}

/// Looks at all of them again and again.
async fn look(listed: Arc<Listed>, limit: Duration) {
    loop {
        tokio::time::sleep(limit / LOOKS).await;
        let answers: Vec<_> = lock(&listed).iter().filter_map(Weak::upgrade).collect();
        answers.iter().for_each(|answer| answer.look(limit));
    }
}

impl<B: Send> Look for Mutex<Answer<B>> {
    fn look(&self, limit: Duration) {
        let mut answer = lock(self);
        if answer.given.is_none_or(|given| given.elapsed() < limit) {
            return;
        }
        let stage = std::mem::replace(&mut answer.stage, Stage::LetGo);
        (answer.rest, answer.given) = (Bytes::new(), None);
        drop(answer);
        if matches!(stage, Stage::Going(_)) {
            tracing::debug!("the client took nothing of its answer");
        }
    }
}

impl<B> Answer<B> {
    /// The next piece of what was read.
    fn piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        self.given = Some(Instant::now());
        Frame::data(Bytes::copy_from_slice(&piece))
    }
}

impl<B> Answer<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.given = None;
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let frame = match &mut self.stage {
            Stage::Going(body) => ready!(body.as_mut().poll_frame(context)),
            Stage::Over => None,
            Stage::LetGo => {
                let error = io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its answer");
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        let Some(Ok(frame)) = frame else {
            self.stage = Stage::Over;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        };
        if frame.data_ref().is_some_and(|data| !data.is_empty()) {
            // A small one too: it may be a part of all that was read from the upstream at a time.
            self.rest = frame.into_data().unwrap_or_default();
            return Poll::Ready(Some(Ok(self.piece())));
        }
        self.given = Some(Instant::now());
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_over(&self) -> bool {
        let is_at_end = match &self.stage {
            Stage::Going(body) => body.is_end_stream(),
            Stage::Over => true,
            Stage::LetGo => false,
        };
        is_at_end && self.rest.is_empty()
    }

    fn size(&self) -> SizeHint {
        match &self.stage {
            // Asked for before anything of it is given.
            Stage::Going(body) if self.rest.is_empty() => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl<B> Body for Piecewise<B>
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
        lock(&self.0).poll(context)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).is_over()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).size()
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
