//! Another principal's key is a new key: nothing tells them apart, not even how often the ledger is asked.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use onlyonce_core::{RecordId, parameters::Redaction, scope::Principal};
use onlyonce_http::{Layer, Once, RequestBody, Rules, Shared, layer::Starts};
use onlyonce_ledger::{
    Ledger, Options,
    identity::Secret,
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Applied, AuditPage, Body, Command, Reply, Row, Store},
};
use tokio::sync::Semaphore;
use tower_service::Service;

/// What a store was asked: kind and shape of each operation, in order. Not the sweeps, which go by the clock and not by
/// any request.
#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Asked {
    fn note_down(&self, operation: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(operation.into());
    }

    fn take(&self) -> Vec<String> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn shape(command: &Command) -> String {
    let body = match command.body {
        Body::Keep => "keeps",
        Body::Put { .. } => "puts",
        Body::Remove => "removes",
    };
    let row = if command.expect.is_none() { "insert" } else { "update" };
    format!(
        "{row} of {} bytes that {body} its body, with a note: {}",
        command.head.len(),
        command.note.is_some()
    )
}

impl Intercept for Asked {
    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        let shapes: Vec<_> = batch.iter().map(shape).collect();
        self.note_down(format!("apply {}", shapes.join(" and ")));
        rows.apply(batch)
    }

    fn heads<'a>(&'a self, rows: &'a MemoryStore, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>> {
        self.note_down(format!("heads of {}", ids.len()));
        rows.heads(ids)
    }

    fn body<'a>(&'a self, rows: &'a MemoryStore, id: RecordId) -> Reply<'a, Option<Bytes>> {
        self.note_down("body");
        rows.body(id)
    }

    fn open<'a>(
        &'a self,
        rows: &'a MemoryStore,
        after: Option<RecordId>,
        limit: usize,
    ) -> Reply<'a, Vec<Row>> {
        self.note_down("open");
        rows.open(after, limit)
    }

    fn is_empty<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, bool> {
        self.note_down("is empty");
        rows.is_empty()
    }

    fn identity<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, Option<Bytes>> {
        self.note_down("identity");
        rows.identity()
    }

    fn set_identity<'a>(
        &'a self,
        rows: &'a MemoryStore,
        expect: Option<&'a [u8]>,
        row: Bytes,
    ) -> Reply<'a, bool> {
        self.note_down("set identity");
        rows.set_identity(expect, row)
    }

    fn note<'a>(&'a self, rows: &'a MemoryStore, entry: Bytes) -> Reply<'a, ()> {
        self.note_down("note");
        rows.note(entry)
    }

    fn audit<'a>(&'a self, rows: &'a MemoryStore, before: Option<u64>, limit: usize) -> Reply<'a, AuditPage> {
        self.note_down("audit");
        rows.audit(before, limit)
    }
}

/// Answers with the status that is wanted; while it holds, it says that it began and waits for leave.
#[derive(Clone)]
struct Handler {
    begun: Arc<Semaphore>,
    leave: Arc<Semaphore>,
}

impl<B> Service<Request<RequestBody<B>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        let Self { begun, leave } = self.clone();
        let headers = request.into_parts().0.headers;
        Box::pin(async move {
            if headers.contains_key("x-hold") {
                begun.add_permits(1);
                leave.acquire().await.unwrap().forget();
            }
            let status = headers
                .get("x-status")
                .map_or(StatusCode::CREATED, |wanted| StatusCode::from_bytes(wanted.as_bytes()).unwrap());
            Ok(Response::builder().status(status).body(Full::from("done")).unwrap())
        })
    }
}

struct Scene {
    service: Once<Handler>,
    asked: Arc<Asked>,
    handler: Handler,
}

impl Scene {
    async fn new() -> Self {
        let asked = Arc::<Asked>::default();
        let store = Intercepted::new(Arc::default(), Arc::clone(&asked));
        let secret = Secret::new(vec![7; 32]).unwrap();
        let ledger = Ledger::open(store, &secret, Options::default()).await.unwrap().0;
        let rules = Arc::new(Rules::new("test", Redaction::new(ledger.key(), &[])));
        let layer = Layer::new(
            Arc::new(Shared::new(ledger, "test")),
            Starts::BeforeCall,
            Box::new(move |_| Some(Arc::clone(&rules))),
            Box::new(|parts, _| Ok(Principal::header(parts.headers["x-principal"].as_bytes()))),
        );
        let handler = Handler { begun: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) };
        Self { service: Once::new(handler.clone(), layer), asked, handler }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
        let (parts, body) = self.service.clone().call(request).await.unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    /// What Bob is told, but for his key, and what that took.
    async fn bob(&self, key: &str) -> (StatusCode, HeaderMap, Bytes, Vec<String>) {
        drop(self.asked.take());
        let (status, mut headers, body) = self.send(request("bob", key, &[])).await;
        headers.remove("idempotency-key");
        headers.remove("idempotency-expires");
        (status, headers, body, self.asked.take())
    }
}

/// Keys are of one length, so that records are too.
fn request(principal: &str, key: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request =
        Request::post("/transfers").header("idempotency-key", key).header("x-principal", principal);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from("{\"amount\":1}")).unwrap()
}

/// F02 from the other side: who sends a key that is another's must not learn that it is. He is told what he would be
/// told about a new one, and the ledger is asked for the same, so that no clock can tell either.
#[tokio::test]
async fn f02_a_foreign_key_costs_the_ledger_exactly_what_a_new_one_costs() {
    let scene = Scene::new().await;
    assert_eq!(scene.send(request("ana", "completed", &[])).await.0, StatusCode::CREATED);
    assert_eq!(scene.send(request("ana", "released-", &[("x-status", "429")])).await.0, 429);
    assert_eq!(scene.send(request("ana", "unknown--", &[("x-status", "504")])).await.0, 504);
    let running = tokio::spawn(scene.service.clone().call(request("ana", "running--", &[("x-hold", "1")])));
    scene.handler.begun.acquire().await.unwrap().forget();

    let new = scene.bob("brand-new").await;
    assert_eq!((new.0, &new.1["idempotency-status"]), (StatusCode::CREATED, &"executed".parse().unwrap()));
    assert!(new.3.len() >= 2, "a claim and a completion at least: {:?}", new.3);
    for key in ["completed", "released-", "unknown--", "running--"] {
        assert_eq!(scene.bob(key).await, new, "{key}");
    }

    scene.handler.leave.add_permits(1);
    let first = running.await.unwrap().unwrap();
    assert_eq!(first.headers()["idempotency-status"], "executed", "nobody took Ana's key from her");
    drop(scene.asked.take());
    let repeat = scene.send(request("ana", "running--", &[])).await;
    assert_eq!(repeat.1["idempotency-status"], "replayed");
    assert_ne!(scene.asked.take(), new.3, "the count can tell a repeat from a new key");
}
