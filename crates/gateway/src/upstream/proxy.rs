//! Forwards one request and brings its answer back.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use onlyonce_core::OperationRef;
use onlyonce_http::{
    NoAnswer, Start,
    fault::{self, Window},
    headers,
};
use onlyonce_ledger::boxed;
use tower_service::Service;

use super::{
    RequestBody,
    answer::AnswerBody,
    connection::{Connection, Unanswered},
    pool::{NotOpened, Pool, Use},
};
use crate::principal::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How many headers the upstream gets besides: those, and a host.
const ADDED: usize = 4;

/// The reverse proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    pool: Arc<Pool>,
}

impl Proxy {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// No `async fn`, and one future for all of the way: each more would move the request into itself.
    fn forward(
        self,
        mut request: Request<RequestBody>,
    ) -> Pin<Box<impl Future<Output = Response<AnswerBody>>>> {
        let start = request.extensions_mut().remove::<Start>();
        let purpose = if start.is_some() { Use::Keyed } else { Use::Unkeyed };
        self.prepare(&mut request);
        let idle = self.pool.idle(purpose);
        boxed::pinned(|| self.deliver(request, purpose, start, idle))
    }

    async fn deliver(
        self,
        mut request: Request<RequestBody>,
        purpose: Use,
        start: Option<Start>,
        idle: Option<Connection>,
    ) -> Response<AnswerBody> {
        let operation = start.as_ref().map(Start::operation_ref);
        let mut taken = match idle {
            Some(connection) => Ok(connection),
            None => self.pool.fresh().await,
        };
        // At most twice: a fresh connection is young and unused, and is not replaced.
        loop {
            let mut connection = match taken {
                Ok(connection) => connection,
                Err(NotOpened::NoPlace) => return no_place(operation),
                Err(NotOpened::Unreachable(error)) => return unsent(operation, &error.to_string()),
            };
            let until = match &start {
                Some(start) => match start.confirm().await {
                    Ok(until) => Some(until),
                    Err(_) => return unsent(operation, "the lease was lost before anything was sent"),
                },
                None => None,
            };
            if !self.pool.is_young(&connection, purpose) {
                // Confirming the lease took a while.
                drop(connection);
                taken = self.pool.fresh().await;
                continue;
            }
            if start.is_some() {
                fault::point(Window::StartedSent).await;
            }
            match connection.send(request, until).await {
                Ok(answer) => {
                    if start.is_some() {
                        fault::point(Window::SentAnswered).await;
                    }
                    return self.bring(answer, connection, purpose, operation);
                }
                Err(Unanswered::HandedBack(unwritten)) if connection.is_used() => {
                    // Not a byte of it was taken: it may go once more, on a fresh connection and within its lease.
                    request = *unwritten;
                    drop(connection);
                    taken = self.pool.fresh().await;
                }
                Err(Unanswered::HandedBack(_) | Unanswered::NothingTaken) if connection.is_late() => {
                    return unsent(operation, "the lease was over before the first byte");
                }
                Err(Unanswered::HandedBack(_) | Unanswered::NothingTaken) => {
                    return unsent(operation, "the upstream closed the connection before it took a byte");
                }
                Err(Unanswered::Lost) => return lost(operation, None),
            }
        }
    }

    fn bring(
        self,
        answer: Response<hyper::body::Incoming>,
        connection: Connection,
        purpose: Use,
        operation: Option<OperationRef>,
    ) -> Response<AnswerBody> {
        let (mut parts, body) = answer.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            tracing::error!("the upstream switched protocols unasked; that is no answer");
            return lost(operation, Some(parts.status.as_u16()));
        }
        if !is_framed_once(&parts.headers) {
            tracing::error!(
                "the upstream framed its answer in two ways or an unknown one; it is not trusted"
            );
            return lost(operation, Some(parts.status.as_u16()));
        }
        headers::strip_hop_by_hop(&mut parts.headers);
        // Ours to say to the client, hop by hop (RFC 9110, section 2.5); neither is stored, so a replay would differ.
        parts.version = Version::HTTP_11;
        parts.extensions.remove::<hyper::ext::ReasonPhrase>();
        let body = match purpose {
            Use::Keyed => AnswerBody::new(body, connection, self.pool),
            Use::Unkeyed => AnswerBody::unjudged(body, connection, self.pool),
        };
        Response::from_parts(parts, body)
    }

    /// Hop-by-hop headers go, forwarding headers come.
    fn prepare(&self, request: &mut Request<RequestBody>) {
        let peer = request.extensions().get::<Peer>().copied();
        let path = request.uri().path_and_query().cloned();
        let authority = request.uri().authority().cloned();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        let map = request.headers_mut();
        headers::strip_hop_by_hop(map);
        map.reserve(ADDED);
        if let Some(authority) =
            authority.and_then(|authority| HeaderValue::try_from(authority.as_str()).ok())
        {
            // An absolute request target beats `Host` (RFC 9112, section 3.2.2).
            map.insert(header::HOST, authority);
        }
        if !map.contains_key(header::HOST)
            && let Ok(authority) = HeaderValue::try_from(self.pool.authority())
        {
            map.insert(header::HOST, authority);
        }
        if let Some(Peer(peer)) = peer {
            append(map, FORWARDED_FOR, peer.ip().to_canonical().to_string());
        }
        map.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
        if let Some(host) = map.get(header::HOST).cloned() {
            map.entry(FORWARDED_HOST).or_insert(host);
        }
    }
}

/// Whether there is one opinion at most on where the answer ends (RFC 9112, section 6.3), and no coding but `chunked`,
/// for which alone we ask.
pub(super) fn is_framed_once(headers: &HeaderMap) -> bool {
    let only = |name: HeaderName, is_plain: fn(&[u8]) -> bool| {
        let mut lines = headers.get_all(name).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Some(0),
            (Some(value), None) if is_plain(value.as_bytes().trim_ascii()) => Some(1),
            (Some(_), _) => None,
        }
    };
    let length = only(header::CONTENT_LENGTH, |value| value.iter().all(u8::is_ascii_digit));
    let coding = only(header::TRANSFER_ENCODING, |value| value.eq_ignore_ascii_case(b"chunked"));
    length.zip(coding).is_some_and(|(length, coding)| length + coding < 2)
}

/// Adds to a list that may be there already.
fn append(headers: &mut HeaderMap, name: HeaderName, value: String) {
    let before = headers.get_all(&name).iter().filter_map(|line| line.to_str().ok());
    let mut all: Vec<_> = before.map(ToOwned::to_owned).collect();
    let value = if all.is_empty() {
        value
    } else {
        all.push(value);
        all.join(", ")
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn unsent(operation: Option<OperationRef>, why: &str) -> Response<AnswerBody> {
    tracing::warn!(idempotency.operation_ref = operation.map(display), why, "the upstream was not reached");
    no_answer(NoAnswer::NotSent)
}

fn no_place(operation: Option<OperationRef>) -> Response<AnswerBody> {
    tracing::warn!(
        idempotency.operation_ref = operation.map(display),
        "as many connections to the upstream are open as the limit on open files allows"
    );
    no_answer(NoAnswer::NoPlace)
}

fn lost(operation: Option<OperationRef>, seen_status: Option<u16>) -> Response<AnswerBody> {
    tracing::warn!(
        idempotency.operation_ref = operation.map(display),
        seen_status,
        "the upstream's answer was lost"
    );
    no_answer(NoAnswer::Lost { seen_status })
}

/// The layer reads the extension; without it, for a request that has no key, this is a plain 502.
fn no_answer(why: NoAnswer) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::none());
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer.extensions_mut().insert(why);
    answer
}

/// A request on its way; there is always an answer.
pub(crate) struct Forwarding(Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>);

impl Future for Forwarding {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

impl Service<Request<RequestBody>> for Proxy {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Forwarding;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        Forwarding(self.clone().forward(request))
    }
}

#[cfg(test)]
mod tests;
