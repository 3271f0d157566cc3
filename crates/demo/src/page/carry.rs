//! Carries one request to a side and brings back its answer.
//!
//! Invariant: a connection of its own for each request. Without a pool there is no dead connection to fall
//! for, so nothing is ever sent a second time.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// More than any answer of the bank, or of the gateway about it.
const ANSWER_LIMIT: usize = 1 << 20;

/// Longer than the gateway's own deadline, so that it has the last word.
const PATIENCE: Duration = Duration::from_secs(90);

/// What belongs to one connection, and so not to the next; the length is counted anew.
const HOP_BY_HOP: [header::HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::TRAILER];

/// Why there is no answer to bring back.
#[derive(Debug)]
pub(crate) struct Error(Box<dyn std::error::Error + Send + Sync>);

/// Sends `POST /transfers` with these headers and this body; waits at most [`PATIENCE`] for the whole answer.
pub(crate) async fn transfer(
    target: SocketAddr,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Bytes>, Error> {
    let request = request(target, headers, body)?;
    match tokio::time::timeout(PATIENCE, exchange(target, request)).await {
        Ok(answer) => answer,
        Err(late) => Err(Error(late.into())),
    }
}

fn request(target: SocketAddr, headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
    let host = HeaderValue::from_str(&target.to_string()).map_err(|e| Error(e.into()))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("/transfers");
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, host);
    Ok(request)
}

async fn exchange(target: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
    let stream = TcpStream::connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    let answer = match answer {
        Ok(answer) => whole(answer).await,
        Err(broken) => Err(broken.into()),
    };
    connection.abort();
    answer
}

async fn whole(answer: Response<hyper::body::Incoming>) -> Result<Response<Bytes>, Error> {
    let (mut head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(Error)?.to_bytes();
    for name in HOP_BY_HOP {
        head.headers.remove(name);
    }
    Ok(Response::from_parts(head, body))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to carry the request there and its answer back")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(error.into())
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        Self(error.into())
    }
}
