//! One connection to the upstream: opened, used for one request at a time, judged at its end.
//!
//! What hyper 1.12 says about a request that got no answer, and what it proves:
//!
//! | `try_send_request` fails with | because | bytes taken? |
//! |---|---|---|
//! | the request | it never left the queue: the sender was not ready, the driver ended, or reading failed before the queue was asked (`Client::recv_msg`, `Envelope::drop`) | none of this request |
//! | no request | it was taken from the queue, and so at least encoded into a buffer (`Client::poll_msg`) | perhaps |
//!
//! A request is handed back only from the queue, so never after a byte of it was written. The converse does not hold: a
//! request that is not handed back may have got no further than hyper's buffer. So hyper's word decides whether the
//! request *can* go again, and the socket's count alone decides whether it *was* sent. The count is read after the
//! driver has ended, and bytes of an earlier request could only make it too large, which says *lost*.

use std::{
    error::Error as _,
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Version};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use onlyonce_ledger::clock::Boot;
use tokio::time::Instant;

use super::{
    RequestBody,
    driver::Driver,
    places::Place,
    tap::{Heard, Tap, Tapped},
    target::Target,
};
use crate::workers;

/// Header lines of an answer.
const ANSWER_HEADERS: usize = 200;
/// How long a connection may take to be ready again after a whole answer; then it is closed, and the answer stands.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// One connection.
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    /// Ends with the connection; says whether bytes were read that belong to no answer.
    driver: Driver,
    tapped: Arc<Tapped>,
    last: Option<Answered>,
    worker: usize,
}

/// The last answer that a connection brought.
struct Answered {
    /// When its head came. The upstream cannot have thought the connection idle before; when the answer was read to
    /// its end says nothing, because a slow client may have held that up.
    at: Boot,
    /// How many bytes the socket had taken by then.
    written: u64,
    /// How long the upstream keeps the connection, as far as it says.
    keeps: Option<Duration>,
    version: Version,
}

/// How sending ended that brought no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// No byte was taken, and here is the request.
    HandedBack(Box<Request<RequestBody>>),
    /// No byte was taken.
    NothingTaken,
    /// Bytes were taken; who knows.
    Lost,
}

/// How a connection stands after a whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It can be used again.
    Reusable,
    /// It has ended, or is of no further use.
    Ended,
    /// It brought more than the answer: neither it nor the answer can be trusted.
    Dirty,
}

impl Connection {
    /// Opens one, with all that it takes before a request can go: `until` is for the name, TCP and TLS together.
    pub(super) async fn open(target: &Target, place: Place, until: Instant) -> io::Result<Self> {
        let open = tokio::time::timeout_at(until, Tap::open(target, place)).await;
        let (tap, tapped) = open.map_err(|_| io::ErrorKind::TimedOut)??;
        let (sender, connection) = http1::Builder::new()
            .max_headers(ANSWER_HEADERS)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(io::Error::other)?;
        let driver = Driver::new(async move {
            let parts = connection.without_shutdown().await?;
            Ok(!parts.read_buf.is_empty())
        });
        Ok(Self { sender, driver, tapped, last: None, worker: workers::number() })
    }

    /// The worker whose poll knows it.
    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    /// Whether it has served before.
    pub(super) fn is_used(&self) -> bool {
        self.last.is_some()
    }

    /// For how long the upstream may have thought it idle, and how long it says that it keeps idle ones.
    pub(super) fn idle(&self) -> Option<(Duration, Option<Duration>)> {
        self.last.as_ref().map(|last| (last.at.elapsed(), last.keeps))
    }

    /// Whether a request may be given to it. What the upstream has said or done since is seen by the look before the first
    /// byte, which hands the request back.
    pub(super) fn is_open(&self) -> bool {
        self.sender.is_ready() && !self.driver.is_over()
    }

    /// Whether the upstream has neither closed it nor spoken out of turn.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.is_open() && self.tapped.heard() == Heard::Silence
    }

    /// Sends one request and gives the head of its answer. Its first byte is taken before `until` or not at all.
    ///
    /// No `async fn`: the request goes to the connection at once, and is not kept here as well.
    pub(super) fn send(
        &mut self,
        request: Request<RequestBody>,
        until: Option<Boot>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered>> {
        let before = self.tapped.written();
        self.tapped.expect_request(until);
        let answer = self.sender.try_send_request(request);
        async move {
            let mut answer = pin!(answer);
            let answered = poll_fn(|context: &mut Context<'_>| -> Poll<_> {
                self.driver.poll(context);
                answer.as_mut().poll(context)
            });
            match answered.await {
                Ok(answer) => {
                    if !self.sender.is_ready() {
                        self.driver.go_on_alone();
                    }
                    self.last = Some(Answered {
                        at: Boot::now(),
                        written: self.tapped.written(),
                        keeps: keeps(answer.headers()),
                        version: answer.version(),
                    });
                    Ok(answer)
                }
                // In a box, because it is rare and every request would have to be as large.
                Err(error) => Err(Box::pin(self.unanswered(error, before)).await),
            }
        }
    }

    /// What became of a request that got no answer. `before` is how many bytes were taken when it was given.
    async fn unanswered(&mut self, mut error: TrySendError<Request<RequestBody>>, before: u64) -> Unanswered {
        // Nothing is written any more once the driver has ended, so from here on the count is final.
        self.driver.stop().await;
        tracing::debug!(error = %error.error(), cause = ?error.error().source(), "no answer from upstream");
        if self.tapped.written() != before {
            return Unanswered::Lost;
        }
        match error.take_message() {
            Some(request) => Unanswered::HandedBack(Box::new(request)),
            None => Unanswered::NothingTaken,
        }
    }

    /// Whether it was too late for a request that it did not take.
    pub(super) fn is_late(&self) -> bool {
        self.tapped.is_late()
    }

    /// Waits until the connection is ready for another request or has ended, for [`SETTLE_TIME`] at most. To be asked
    /// once.
    pub(super) async fn afterwards(&mut self) -> Afterwards {
        // Beyond the time the request is still being written, or hyper does not notice that it was written to its end
        // after its answer.
        tokio::time::timeout(SETTLE_TIME, self.settled()).await.unwrap_or(Afterwards::Ended)
    }

    /// The same, if that is known already: the usual answer came in one piece.
    pub(super) fn afterwards_now(&self) -> Option<Afterwards> {
        self.sender.is_ready().then(|| self.looked_at())
    }

    /// Whether it can be used again for all that is known without a look at it; `None`: that is not known yet.
    pub(super) fn is_reusable_unseen(&self) -> Option<bool> {
        self.sender.is_ready().then(|| self.is_worth_keeping())
    }

    async fn settled(&mut self) -> Afterwards {
        if self.sender.ready().await.is_ok() {
            return self.looked_at();
        }
        match self.driver.ended().await {
            Some(Ok(false)) if self.tapped.heard() != Heard::Words => Afterwards::Ended,
            Some(Err(error)) if is_harmless(&error) => Afterwards::Ended,
            Some(_) | None => Afterwards::Dirty,
        }
    }

    fn looked_at(&self) -> Afterwards {
        match self.tapped.heard() {
            Heard::Silence if self.is_worth_keeping() => Afterwards::Reusable,
            Heard::Silence | Heard::End | Heard::Beginning => Afterwards::Ended,
            Heard::Words => Afterwards::Dirty,
        }
    }

    /// Not after an answer that came before the request was written to its end: the upstream may take the rest of it
    /// for the next request. And not where HTTP/1.0 was spoken: hyper would go on in it, and cut unsized bodies off.
    fn is_worth_keeping(&self) -> bool {
        self.tapped.is_flushed()
            && self
                .last
                .as_ref()
                .is_some_and(|last| last.written == self.tapped.written() && last.version == Version::HTTP_11)
    }
}

/// What may go wrong with a connection after a whole answer without a doubt on the answer: a reset or an end while the
/// request was still on its way, because it was not read to its end, and a request body that broke off.
fn is_harmless(error: &hyper::Error) -> bool {
    error.source().is_some_and(|source| source.is::<io::Error>())
        || error.is_incomplete_message()
        || error.is_user()
}

/// `Keep-Alive: timeout=5`, in seconds (RFC 2068, section 19.7.1; Node, Apache and others send it).
fn keeps(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all("keep-alive").iter().filter_map(|line| line.to_str().ok());
    let parameters = lines.flat_map(|line| line.split(',')).filter_map(|parameter| parameter.split_once('='));
    let mut timeouts = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"));
    timeouts.find_map(|(_, seconds)| seconds.trim().parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
