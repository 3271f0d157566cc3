//! Connections in, bounded in number, in heads and in the time for them, for both listeners; and on the data listener
//! each request to the operations endpoint or through the layer.

mod head_time;
mod streams;

use std::{
    convert::Infallible,
    future::{self, Future},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{
    body::Incoming,
    service::{Service as HyperService, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use onlyonce_http::{Body, Layer, NoAnswer, Once, body::BoxError, operations};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower_service::Service;

pub(crate) use self::head_time::Times;
use self::head_time::{HeadTimed, InTurns, Turn};
use crate::{
    admission,
    cors::{Asked, Cors},
    head,
    principal::{Identify, Peer},
    published::{self, Published},
    routes::Routes,
    upstream::{AnswerBody, Proxy},
    workers::Worker,
};

/// Connections of clients at a time; beyond it, accepting pauses. As many may be open to the upstream.
pub(crate) const CONNECTIONS: usize = 20_000;
/// The same for operators, who have their own: a crowd on the one listener does not shut the other. Its descriptors are
/// among the ledger's share.
const OPERATORS: usize = 256;
/// Header lines of a request; beyond it 431.
const HEADER_LINES: usize = 100;
/// Bytes of a request's head; beyond it 431.
const HEADER_BYTES: usize = 32 * 1024;
/// How long a request's head may take, from its first byte.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what is written to it; beyond it the connection ends.
const STALL_TIME: Duration = Duration::from_secs(60);
/// How long an operator's connection may be idle.
const OPERATORS_IDLE: Duration = Duration::from_secs(75);
/// The same bound as HTTP/2 counts it: 32 bytes more for each line (RFC 9113, section 6.5.2).
const HEADER_LIST_BYTES: u32 = 32 * 1024 + 32 * 100;
/// Requests at a time on one HTTP/2 connection; the others wait at the client.
const STREAMS: u32 = 256;
/// Streams that a client may open and reset before they were looked at; beyond it the connection ends (CVE-2023-44487).
const STREAMS_RESET: usize = 20;
/// How often an HTTP/2 client is asked for a sign of life, and how long it may take: a dead one would hold its place.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(20);
/// Pause after accepting failed, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every request needs.
pub(crate) struct Front {
    pub(crate) layer: Layer,
    pub(crate) identify: Arc<Identify>,
    pub(crate) service: Once<Proxy>,
    /// What some route counts on.
    pub(crate) guards: admission::Guards,
    pub(crate) routes: Arc<Routes>,
    pub(crate) cors: Cors,
    pub(crate) published: Published,
    /// What the `type` of a problem document begins with.
    pub(crate) problem_base: Arc<str>,
}

impl Times {
    /// The usual times for a head and an answer, and this one between requests.
    pub(crate) const fn idle(idle: Duration) -> Self {
        Self { head: HEADER_TIME, idle, stall: STALL_TIME }
    }
}

/// The connections that are open; each holds a permit.
#[derive(Clone)]
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
    most: usize,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(most)), most }
    }

    fn of_operators() -> Self {
        Self::new(OPERATORS)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.most - self.permits.available_permits()
    }
}

/// Accepts until `draining`, then returns; the connections live on until their requests are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    workers: Vec<Worker>,
    connections: Connections,
    times: Times,
    draining: watch::Receiver<bool>,
) {
    let service = move |peer| {
        let front = Arc::clone(&front);
        service_fn(move |request| front.answer(request, peer))
    };
    accept_all(listener, workers, service, connections, times, draining).await;
}

/// Serves operators until the process ends: also while it drains.
pub(crate) async fn serve_operators(listener: TcpListener, router: Router) {
    let (_never, draining) = watch::channel(false);
    let service = move |_| TowerToHyperService::new(router.clone());
    let times = Times::idle(OPERATORS_IDLE);
    let here = vec![Worker::on(Handle::current())];
    accept_all(listener, here, service, Connections::of_operators(), times, draining).await;
}

/// Each connection is served where there are fewest.
async fn accept_all<S, B>(
    listener: TcpListener,
    workers: Vec<Worker>,
    service: impl Fn(SocketAddr) -> S,
    connections: Connections,
    times: Times,
    mut draining: watch::Receiver<bool>,
) where
    S: HyperService<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = begun(&mut draining) => return,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let Some(worker) = workers.iter().min_by_key(|worker| worker.serving()) else { return };
                let (seat, service, draining) = (worker.seat(), service(peer), draining.clone());
                worker.handle().spawn(async move {
                    let _seat = seat;
                    match TcpStream::from_std(stream) {
                        Ok(stream) => connection(stream, permit, service, times, draining).await,
                        Err(error) => tracing::warn!(%error, "a connection could not be served"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn begun(draining: &mut watch::Receiver<bool>) {
    // The sender lives in the running gateway; without it, the process is ending.
    let _ = draining.wait_for(|draining| *draining).await;
}

async fn accept(
    listener: &TcpListener,
    connections: &Connections,
) -> io::Result<(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(&connections.permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    // It is served by another thread than this one, and is made known to the poll of that.
    Ok((stream.into_std()?, peer, permit))
}

async fn connection<I, S, B>(
    stream: I,
    _permit: OwnedSemaphorePermit,
    service: S,
    times: Times,
    mut draining: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HyperService<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let turn = Turn::default();
    let socket = HeadTimed::new(stream, turn.clone(), times);
    let service = InTurns::new(service, turn, times);
    let builder = protocols(times.idle);
    let serving = builder.serve_connection(TokioIo::new(socket), service);
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = begun(&mut draining) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// HTTP/1.1, and HTTP/2 with prior knowledge, within the same bounds.
fn protocols(idle: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Its clock starts when the last answer ends, so it is the one between requests.
        .header_read_timeout(idle)
        .max_headers(HEADER_LINES)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(STREAMS_RESET)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIME);
    builder
}

/// What the layer says of a request, to come.
type Answer = <Once<Proxy> as Service<Request<Incoming>>>::Future;

/// The same, with what browsers need.
struct Answering {
    answer: Answer,
    front: Arc<Front>,
    /// What its browser asks for a page; in a box, because nearly nobody has one.
    asked: Option<Box<Asked>>,
}

impl Future for Answering {
    type Output = Result<Response<Body<AnswerBody>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Ok(answer) = ready!(this.answer.as_mut().poll(context));
        let mut answer = unkeyed_failure(answer);
        this.front.cors.complete(this.asked.as_deref(), &mut answer);
        Poll::Ready(Ok(answer))
    }
}

impl Front {
    /// No `async fn`: what is judged of the head is judged at once, and the request goes on without being kept here.
    fn answer(self: &Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Answering {
        let asked = self.cors.asked(&request, &self.routes);
        let ours = asked.as_ref().filter(|_| is_ours(request.uri().path()));
        let (asked, answer) = match ours.and_then(|asked| self.cors.preflight(asked)) {
            Some(answer) => (None, at_once(answer)),
            None => (asked.map(Box::new), self.answer_to(request, peer)),
        };
        Answering { answer, front: Arc::clone(self), asked }
    }

    fn answer_to(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Answer {
        if head::size(&request) > HEADER_BYTES || request.headers().len() > HEADER_LINES {
            return at_once(too_large());
        }
        request.extensions_mut().insert(Peer(peer));
        let admitted = head::check(&request, self.guards.paths)
            .and_then(|()| admission::admit(&mut request, &self.identify, &self.guards))
            .and_then(|()| if self.guards.paths { self.routes.refuse_evasive(&request) } else { Ok(()) });
        if let Err(refused) = admitted {
            let mut answer = refused.into_response(&self.problem_base);
            self.layer.refused_before(&request.into_parts().0, &answer);
            // The body was not read, so the connection ends here.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return at_once(answer);
        }
        if request.uri().path() == published::PATH {
            return at_once(self.published.answer(request.method(), &self.problem_base));
        }
        if let Some(reference) = operations::asked_for(request.uri().path()).map(ToOwned::to_owned) {
            let (parts, _) = request.into_parts();
            let (layer, base) = (self.layer.clone(), Arc::clone(&self.problem_base));
            return Box::pin(async move { Ok(operations::answer(&layer, &parts, &reference, &base).await) });
        }
        self.service.clone().call(request)
    }
}

/// An answer that is there already.
fn at_once(answer: Response<Body<AnswerBody>>) -> Answer {
    Box::pin(future::ready(Ok(answer)))
}

/// Whether no request to this path goes to the upstream.
fn is_ours(path: &str) -> bool {
    path == published::PATH || operations::asked_for(path).is_some()
}

/// As bare as the parser's own answer to a head that does not fit its buffer.
fn too_large() -> Response<Body<AnswerBody>> {
    let mut answer = Response::new(Body::whole(Bytes::new()));
    *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// An unkeyed request that did not come through gets a plain problem, without a word about keys.
fn unkeyed_failure(mut answer: Response<Body<AnswerBody>>) -> Response<Body<AnswerBody>> {
    let (status, detail, again) = match answer.extensions_mut().remove::<NoAnswer>() {
        None => return answer,
        Some(NoAnswer::NotSent) => {
            (StatusCode::BAD_GATEWAY, "The upstream was not reached and nothing was sent.", true)
        }
        Some(NoAnswer::NoPlace) => {
            let detail = "As many connections to the upstream are open as may be. Nothing was sent.";
            (StatusCode::SERVICE_UNAVAILABLE, detail, true)
        }
        Some(NoAnswer::Lost { .. }) => {
            let detail = "The upstream's answer broke off. Whether the request took effect is unknown.";
            (StatusCode::BAD_GATEWAY, detail, false)
        }
    };
    let title = status.canonical_reason();
    let document =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut answer = Response::new(Body::whole(document.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if again {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

#[cfg(test)]
mod tests;
