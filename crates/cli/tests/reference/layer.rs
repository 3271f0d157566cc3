//! The layer behind a socket of its own, with a trouble that no upstream and no disk can make to order.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use onlyonce_core::{RecordId, parameters::Redaction, scope::Principal};
use onlyonce_http::{Layer, Once, RequestBody, Rules, Shared, layer::Starts};
use onlyonce_ledger::{
    Ledger, Options,
    identity::Secret,
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Error, ErrorKind, Reply, Store},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tower_service::Service;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The store gives other bytes for a result than it was given.
    DamagesResults,
    /// The store answers no question.
    CannotBeReached,
    /// The same, on a route that says `fail_open`.
    CannotBeReachedAndOpens,
    /// A body may take a tenth of a second to arrive.
    HasNoPatience,
    /// The handler panics.
    Panics,
}

/// A server in this process. Dropped, it ends.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    calls: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Server {
    /// How often the handler was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Starts a service of one handler that answers 201, everybody anonymous.
pub(crate) async fn serve(trouble: Trouble) -> Server {
    let store = Intercepted::new(Arc::default(), Arc::new(trouble));
    let secret = Secret::new(vec![7; 32]).unwrap();
    let ledger = Ledger::open(store, &secret, Options::default()).await.unwrap().0;
    let mut rules = Rules::new("POST /transfers", Redaction::new(ledger.key(), &[]));
    if trouble == Trouble::HasNoPatience {
        rules.request_time = Duration::from_millis(100);
    }
    rules.fail_open = trouble == Trouble::CannotBeReachedAndOpens;
    let rules = Arc::new(rules);
    let layer = Layer::new(
        Arc::new(Shared::new(ledger, "reference")),
        Starts::BeforeCall,
        Box::new(move |_| Some(Arc::clone(&rules))),
        Box::new(|_, _| Ok(Principal::anonymous())),
    );
    let handler = Handler { trouble, calls: Arc::default() };
    let calls = Arc::clone(&handler.calls);
    let service = Once::new(handler, layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(accept(listener, service)).abort_handle();
    Server { addr, calls, serving }
}

async fn accept(listener: TcpListener, service: Once<Handler>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, service.clone()));
    }
}

async fn connection(stream: TcpStream, service: Once<Handler>) {
    // A client that goes away is none of this server's business.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await;
}

#[derive(Clone)]
struct Handler {
    trouble: Trouble,
    calls: Arc<AtomicUsize>,
}

impl Service<Request<RequestBody<Incoming>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody<Incoming>>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let trouble = self.trouble;
        Box::pin(async move {
            assert_ne!(trouble, Trouble::Panics, "the handler panics after its effect, as it was told to");
            let mut answer = Response::new(Full::from("done"));
            *answer.status_mut() = StatusCode::CREATED;
            answer.headers_mut().insert("x-from", HeaderValue::from_static("upstream"));
            Ok(answer)
        })
    }
}

impl Intercept for Trouble {
    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        if matches!(self, Self::CannotBeReached | Self::CannotBeReachedAndOpens) {
            return Box::pin(async { Err(Error::new(ErrorKind::NotApplied, "nobody answers")) });
        }
        rows.heads(ids)
    }

    fn body<'a>(&'a self, rows: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        if *self == Self::DamagesResults {
            return Box::pin(async { Ok(Some(Bytes::from_static(b"other bytes than it was given"))) });
        }
        rows.body(id)
    }
}
