//! The body of an upstream's answer. At its end the connection is judged before the end is believed.
//!
//! An upstream that sends more than its answer has lost count of who asked what: the next caller would read the rest
//! as its own. Such an answer never ends well, so it is never stored.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    connection::{Afterwards, Connection},
    pool::Pool,
};

/// What goes wrong with an answer's body.
pub(crate) type AnswerError = Box<dyn std::error::Error + Send + Sync>;

type Judgement = Pin<Box<dyn Future<Output = Result<(), AnswerError>> + Send>>;

/// The body of an upstream's answer, with the connection that it comes from.
pub(crate) struct AnswerBody {
    stage: Stage,
}

enum Stage {
    Reading { body: Incoming, connection: Connection, pool: Arc<Pool> },
    Judging(Judgement),
    Over,
}

impl AnswerBody {
    pub(super) fn new(body: Incoming, connection: Connection, pool: Arc<Pool>) -> Self {
        Self { stage: Stage::Reading { body, connection, pool } }
    }

    /// For a caller who has no use for the judgement. A body that is at its end when it comes (204, 304, an answer to
    /// HEAD) says so at once: hyper's server takes one that does not for a body, and compares its length with a
    /// `Content-Length` that speaks of another.
    pub(super) fn unjudged(body: Incoming, connection: Connection, pool: Arc<Pool>) -> Self {
        if !body.is_end_stream() {
            return Self::new(body, connection, pool);
        }
        judge_aside(connection, pool);
        Self::none()
    }

    /// No body.
    pub(crate) const fn none() -> Self {
        Self { stage: Stage::Over }
    }
}

impl Drop for AnswerBody {
    /// hyper's server stops asking once it has as many bytes as were announced, so the end may never be asked for. The
    /// connection is still good; who passed the bytes on has no use for the judgement of the answer.
    fn drop(&mut self) {
        let Stage::Reading { body, connection, pool } = std::mem::replace(&mut self.stage, Stage::Over)
        else {
            return;
        };
        if body.is_end_stream() {
            judge_aside(connection, pool);
        }
    }
}

/// For those who do not wait for the judgement. What is known of the connection has to do: should more have come than the
/// answer, it is found by the look before the next request's first byte.
fn judge_aside(connection: Connection, pool: Arc<Pool>) {
    match connection.is_reusable_unseen() {
        Some(true) => pool.give_back(connection),
        Some(false) => {}
        None => {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { _ = judge(connection, pool).await });
            }
        }
    }
}

async fn judge(mut connection: Connection, pool: Arc<Pool>) -> Result<(), AnswerError> {
    let afterwards = connection.afterwards().await;
    judged(afterwards, connection, &pool)
}

fn judged(afterwards: Afterwards, connection: Connection, pool: &Pool) -> Result<(), AnswerError> {
    match afterwards {
        Afterwards::Reusable => {
            pool.give_back(connection);
            Ok(())
        }
        Afterwards::Ended => Ok(()),
        Afterwards::Dirty => {
            tracing::error!("the upstream sent more than its answer; the answer is not trusted");
            Err(io::Error::new(io::ErrorKind::InvalidData, "bytes after the end of an answer").into())
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = self.get_mut();
        loop {
            match &mut this.stage {
                Stage::Reading { body, .. } => match ready!(Pin::new(body).poll_frame(context)) {
                    Some(frame) => return Poll::Ready(Some(frame.map_err(Into::into))),
                    None => {
                        if let Stage::Reading { connection, pool, .. } =
                            std::mem::replace(&mut this.stage, Stage::Over)
                        {
                            if let Some(afterwards) = connection.afterwards_now() {
                                let judged = judged(afterwards, connection, &pool);
                                return Poll::Ready(judged.err().map(Err));
                            }
                            this.stage = Stage::Judging(Box::pin(judge(connection, pool)));
                        }
                    }
                },
                Stage::Judging(judgement) => {
                    let judged = ready!(judgement.as_mut().poll(context));
                    this.stage = Stage::Over;
                    return Poll::Ready(judged.err().map(Err));
                }
                Stage::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Never before the connection was judged, or nobody would ask for the end.
        matches!(self.stage, Stage::Over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.stage {
            Stage::Reading { body, .. } => body.size_hint(),
            Stage::Judging(_) | Stage::Over => SizeHint::with_exact(0),
        }
    }
}
