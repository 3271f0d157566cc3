//! The network between a browser and an API, as it is on a bad day: slow, or losing an answer.
//!
//! Invariant: what was sent arrives. A browser that reloads, hangs up or loses patience does not call its
//! request back, and a lost answer says nothing about the request.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response};
use http_body::Frame;
use tokio::time::Sleep;

use super::carry;
use super::side::Side;

/// Where a script of the page says what the network is like: `slow`, `lost`, or both with a comma.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("demo-network");

/// How long a slow network takes, once there and once back.
const EACH_WAY: Duration = Duration::from_millis(1_200);

/// Time for the head of an answer to leave before its connection breaks.
const BREAKING: Duration = Duration::from_millis(40);

/// What the network does to one request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) slow: bool,
    /// The request arrives, its answer does not come back.
    pub(crate) loses_answer: bool,
}

/// What came back to the browser's end.
pub(crate) enum Delivery {
    /// The answer.
    Answered(Response<Bytes>),
    /// Nothing: the request arrived, its answer is gone.
    Lost,
    /// Nobody answered on the other end.
    Failed(carry::Error),
}

impl Network {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut network = Self::default();
        for value in headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok()) {
            for word in value.split(',').map(str::trim) {
                network.slow |= word == "slow";
                network.loses_answer |= word == "lost";
            }
        }
        network
    }

    /// Takes `POST /transfers` to this side and its answer back. Dropped half way, the request still arrives.
    pub(crate) async fn deliver(self, side: &Side, headers: HeaderMap, body: Bytes) -> Delivery {
        let (target, counter) = (side.target, side.counter());
        let on_its_way = tokio::spawn(async move {
            self.pass().await;
            counter.fetch_add(1, Ordering::Relaxed);
            carry::transfer(target, headers, body).await
        });
        let answer = on_its_way.await.expect("the carrier neither panics nor is aborted");
        self.pass().await;
        match answer {
            Ok(_) if self.loses_answer => Delivery::Lost,
            Ok(answer) => Delivery::Answered(answer),
            Err(error) => Delivery::Failed(error),
        }
    }

    async fn pass(self) {
        if self.slow {
            tokio::time::sleep(EACH_WAY).await;
        }
    }
}

/// An answer that breaks off right after an empty head: a script's `fetch` fails on it, as on any lost answer.
///
/// A connection that closes without a single byte would be truer, but browsers then send the request again on
/// their own where they had used the connection before, POST or not (Chromium's
/// `HttpNetworkTransaction::ShouldResendRequest`), and the page would show a request that it did not send.
pub(crate) fn broken_answer() -> Response<Body> {
    Response::new(Body::new(BreaksOff(Box::pin(tokio::time::sleep(BREAKING)))))
}

/// A body that ends in an error, which makes hyper close the connection.
struct BreaksOff(Pin<Box<Sleep>>);

/// The error on which the connection closes.
#[derive(Debug)]
struct BrokenOff;

impl http_body::Body for BreaksOff {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        ready!(self.0.as_mut().poll(cx));
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the demo's network lost the answer")
    }
}

impl std::error::Error for BrokenOff {}
