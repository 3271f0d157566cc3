//! One connection to the upstream: opened, used for one request at a time, judged at its end.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

use super::{
    body::RequestBody,
    tap::{Tap, Tapped},
};

/// Header lines of an answer.
const ANSWER_HEADERS: usize = 200;

/// One connection.
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: JoinHandle<Result<(), hyper::Error>>,
    tapped: Arc<Tapped>,
}

/// How sending ended that brought no answer.
pub(super) enum Unanswered {
    /// No byte was taken, and here is the request.
    HandedBack(Box<Request<RequestBody>>),
    /// No byte was taken.
    NothingTaken,
    /// Bytes were taken; who knows.
    Lost,
}

/// How a connection stands after a whole answer.
pub(super) enum Afterwards {
    /// It can be used again.
    Reusable,
    /// It has ended as it should.
    Ended,
    /// It brought more than the answer: neither it nor the answer can be trusted.
    Dirty,
}

impl Connection {
    pub(super) async fn open(authority: &str, within: Duration) -> io::Result<Self> {
        let connect = TcpStream::connect(authority);
        let stream = tokio::time::timeout(within, connect).await.map_err(|_| io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        let (tap, tapped) = Tap::new(stream);
        let (sender, connection) = http1::Builder::new()
            .max_headers(ANSWER_HEADERS)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, driver: tokio::spawn(connection), tapped })
    }

    /// Whether the upstream has neither closed it nor spoken out of turn. To be asked right before it is used.
    pub(super) fn is_clean(&self) -> bool {
        self.sender.is_ready() && !self.driver.is_finished() && self.tapped.is_clean()
    }

    /// Sends one request and gives the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let before = self.tapped.written();
        let mut error = match self.sender.try_send_request(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // Nothing is written any more once the driver has ended, so from here on the count is final.
        self.driver.abort();
        let _ = (&mut self.driver).await;
        tracing::debug!(error = %error.error(), cause = ?error.error().source(), "no answer from upstream");
        if self.tapped.written() != before {
            return Err(Unanswered::Lost);
        }
        Err(match error.take_message() {
            Some(request) => Unanswered::HandedBack(Box::new(request)),
            None => Unanswered::NothingTaken,
        })
    }

    /// Waits until the connection is ready for another request or has ended.
    pub(super) async fn afterwards(&mut self) -> Afterwards {
        if self.sender.ready().await.is_ok() {
            return if self.tapped.is_clean() { Afterwards::Reusable } else { Afterwards::Dirty };
        }
        match (&mut self.driver).await {
            Ok(Err(error)) if !is_io(&error) => Afterwards::Dirty,
            // A reset after a whole answer, say because the request was not read to its end, spoils nothing.
            _ => Afterwards::Ended,
        }
    }
}

fn is_io(error: &hyper::Error) -> bool {
    error.source().is_some_and(|source| source.is::<io::Error>())
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
