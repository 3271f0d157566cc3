//! A layer around a handler whose answers the test gives, frame by frame.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use onlyonce_core::{
    Key, State,
    key::Syntax,
    parameters::Redaction,
    scope::{CarrierKind, Principal},
};
use onlyonce_http::{Body, Layer, Once, RequestBody, Rules, Shared, body::BoxError, layer::Starts};
use onlyonce_ledger::{
    Ledger, Options,
    identity::{self, Secret},
};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinHandle};
use tower_service::Service;

use crate::store::Watched;

/// Who sends a request; without it, nobody in particular.
pub(crate) const CALLER: &str = "x-caller";

/// A body that comes as the test sends it.
#[derive(Debug)]
pub(crate) struct Fed(mpsc::UnboundedReceiver<Result<Frame<Bytes>, BoxError>>);

/// The test's end of it; dropped, the body ends well.
pub(crate) struct Feed(mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>);

pub(crate) fn fed() -> (Feed, Fed) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Feed(sender), Fed(receiver))
}

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Fed {
    let (feed, body) = fed();
    feed.send(bytes);
    body
}

impl Feed {
    pub(crate) fn send(&self, bytes: impl Into<Bytes>) {
        let _ = self.0.send(Ok(Frame::data(bytes.into())));
    }

    pub(crate) fn break_off(self) {
        let _ = self.0.send(Err("broken off".into()));
    }
}

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(context)
    }
}

/// What a handler does with the head of a request.
type Answering = dyn Fn(HeaderMap) -> Pin<Box<dyn Future<Output = Response<Fed>> + Send>> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Handler {
    answering: Arc<Answering>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Service<Request<RequestBody<Fed>>> for Handler {
    type Response = Response<Fed>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Fed>>) -> Self::Future {
        self.seen.lock().unwrap().push(request.headers().clone());
        let answer = (self.answering)(request.headers().clone());
        Box::pin(async move { Ok(answer.await) })
    }
}

pub(crate) struct Scene {
    pub(crate) store: Arc<Watched>,
    pub(crate) shared: Arc<Shared>,
    once: Once<Handler>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

/// How a scene differs from the usual.
#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) options: Options,
    /// Most bytes that are buffered.
    pub(crate) buffering: Option<usize>,
    /// Most attempts that listen.
    pub(crate) listening: Option<usize>,
    /// Whether the ledger was restored to an earlier state.
    pub(crate) restored: bool,
}

impl Scene {
    pub(crate) async fn new<F>(
        setting: Setting,
        rules: impl FnOnce(&mut Rules),
        answering: impl Fn(HeaderMap) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Fed>> + Send + 'static,
    {
        let store = Arc::<Watched>::default();
        let secret = Secret::new(vec![7; 32]).unwrap();
        if setting.restored {
            Ledger::open(store.store(), &secret, Options::default()).await.unwrap();
            identity::restored(&*store.store(), None).await.unwrap();
        }
        let (ledger, _) = Ledger::open(store.store(), &secret, setting.options).await.unwrap();
        let mut own = Rules::new("POST /transfers", Redaction::new(ledger.key(), &[]));
        rules(&mut own);
        let own = Arc::new(own);
        let mut shared = Shared::new(ledger, "test");
        if let Some(bytes) = setting.buffering {
            shared = shared.buffering(bytes);
        }
        if let Some(attempts) = setting.listening {
            shared = shared.listening(attempts);
        }
        let shared = Arc::new(shared);
        let layer = Layer::new(
            Arc::clone(&shared),
            Starts::BeforeCall,
            Box::new(move |_| Some(Arc::clone(&own))),
            Box::new(|parts, _| {
                Ok(parts
                    .headers
                    .get(CALLER)
                    .map_or_else(Principal::anonymous, |caller| Principal::header(caller.as_bytes())))
            }),
        );
        let seen = Arc::<Mutex<_>>::default();
        let answering = move |head| -> Pin<Box<dyn Future<Output = _> + Send>> { Box::pin(answering(head)) };
        let handler = Handler { answering: Arc::new(answering), seen: Arc::clone(&seen) };
        Self { store, shared, once: Once::new(handler, layer), seen }
    }

    /// Sends it, and has the head of its answer.
    pub(crate) async fn send(&self, request: Request<Fed>) -> Response<Body<Fed>> {
        self.once.clone().call(request).await.unwrap()
    }

    /// Sends it, and does not wait.
    pub(crate) fn begin(&self, request: Request<Fed>) -> JoinHandle<Response<Body<Fed>>> {
        let mut once = self.once.clone();
        tokio::spawn(async move { once.call(request).await.unwrap() })
    }

    /// The heads that the handler saw.
    pub(crate) fn seen(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap().clone()
    }

    /// What stands for a key that nobody in particular has sent.
    pub(crate) async fn state(&self, key: &str) -> Option<State> {
        self.state_for(&Principal::anonymous(), key).await
    }

    /// What stands for a caller's key.
    pub(crate) async fn state_of(&self, caller: &str, key: &str) -> Option<State> {
        self.state_for(&Principal::header(caller.as_bytes()), key).await
    }

    async fn state_for(&self, principal: &Principal, key: &str) -> Option<State> {
        let key = Key::parse(key.as_bytes(), Syntax::Lenient).unwrap();
        self.store.state_of(self.shared.scopes().record_id(principal, CarrierKind::Explicit, &key)).await
    }
}

/// A request with this key and this body.
pub(crate) fn request(key: &str, body: Fed) -> Request<Fed> {
    Request::post("/transfers").header("idempotency-key", key).body(body).unwrap()
}

/// The same, from this caller.
pub(crate) fn from(caller: &str, mut request: Request<Fed>) -> Request<Fed> {
    request.headers_mut().insert(CALLER, caller.parse().unwrap());
    request
}

/// A request with this key and a small body.
pub(crate) fn transfer(key: &str) -> Request<Fed> {
    request(key, whole("{}"))
}

pub(crate) async fn body(answer: Response<Body<Fed>>) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

/// `Idempotency-Status`.
pub(crate) fn said(answer: &Response<Body<Fed>>) -> Option<&str> {
    answer.headers().get("idempotency-status").map(|value| value.to_str().unwrap())
}

/// The document of a refusal, and that it is this one.
pub(crate) async fn problem(answer: Response<Body<Fed>>, status: u16, name: &str) -> Value {
    let code = answer.status().as_u16();
    let document: Value = serde_json::from_slice(&body(answer).await).unwrap();
    let named = document["type"].as_str().unwrap().strip_prefix("urn:problem-type:onlyonce:");
    assert_eq!((code, named), (status, Some(name)), "{document:#}");
    document
}

/// The next frame of an answer's body.
pub(crate) async fn next(answer: &mut Response<Body<Fed>>) -> Option<Result<Bytes, BoxError>> {
    let frame = answer.body_mut().frame().await?;
    Some(frame.map(|frame| frame.into_data().expect("data")))
}

/// Until all others have got as far as they get without time passing.
pub(crate) async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
