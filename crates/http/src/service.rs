//! The layer itself: which requests go where.
//!
//! Whether one is keyed is judged by `search`, and what stands for its key by `exchange`. A request that no rules cover
//! passes untouched.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use onlyonce_core::{Outcome, metric};
use onlyonce_ledger::boxed;
use tower_service::Service;
use tracing::Instrument;

use crate::{
    answer,
    body::{Body, BoxError},
    exchange, headers,
    layer::Layer,
    observe::{self, Ended, Taps},
    request_body::RequestBody,
    rules::{Mode, Rules},
    search::{Head, Refusal},
    sending::Start,
    telemetry,
};

/// A keyed request on its way to the inner service, whatever that is.
pub(crate) type Call<R> = Box<dyn FnOnce(Parts, Bytes) -> Calling<R> + Send>;
/// The inner service at work.
pub(crate) type Calling<R> = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

/// A service that acts once per key.
#[derive(Clone, Debug)]
pub struct Once<S> {
    inner: S,
    layer: Layer,
}

impl<S> Once<S> {
    /// Wraps `inner`.
    pub const fn new(inner: S, layer: Layer) -> Self {
        Self { inner, layer }
    }
}

impl<S, B, R> Service<Request<B>> for Once<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    /// Of the inner service: for a request that it is not asked about once. For a keyed one there is always an answer.
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is not ready, the original is: tower's contract, see `Service::call`.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (mut parts, body) = request.into_parts();
        // A layer further out has claimed for this very request, which must not wait for itself.
        let claimed = parts.extensions.get::<Start>().is_some_and(|start| start.is_of(&parts.headers));
        if !claimed {
            parts.extensions.remove::<Start>();
        }
        let rules = if claimed { None } else { self.layer.select(&parts) };
        if let Some(rules) = rules.as_ref().filter(|rules| rules.mode == Mode::Observe) {
            return self.observed(inner, rules, parts, body);
        }
        match rules.map_or(Head::Ruleless, |rules| self.layer.search(rules, &parts)) {
            head @ (Head::Ruleless | Head::Unkeyed(_)) => {
                if let Head::Unkeyed(rules) = head {
                    telemetry::count(self.layer.shared(), &rules, metric::Result::Passed);
                }
                if !claimed {
                    headers::remove(&mut parts.headers, &headers::OURS);
                }
                let answer = inner.call(Request::from_parts(parts, RequestBody::through(body)));
                Box::pin(async move {
                    let mut answer = answer.await?.map(Body::through);
                    if !claimed {
                        // Said to this layer, also where it does not listen; or else to the one that has claimed.
                        headers::remove(answer.headers_mut(), &[headers::OUTCOME]);
                        answer.extensions_mut().remove::<Outcome>();
                    }
                    Ok(answer)
                })
            }
            Head::Refused(refusal) => {
                let Refusal { refused, rules, echo } = *refusal;
                let mut answer = refused.into_response(&rules.problem_base);
                let result = telemetry::result(&answer);
                telemetry::span(&rules, self.layer.sent_to(&parts).path()).in_scope(|| {
                    telemetry::answered(self.layer.shared(), &rules, &answer, result);
                });
                answer::echo(&mut answer, echo.as_ref());
                Box::pin(async move { Ok(answer) })
            }
            Head::Read(candidate) => {
                let layer = self.layer.clone();
                let call = once(inner);
                let span = telemetry::span(&candidate.rules, layer.sent_to(&parts).path());
                let judged = boxed::pinned(|| async move {
                    let (shared, rules) = (Arc::clone(layer.shared()), Arc::clone(&candidate.rules));
                    let (answer, result) = exchange::run(layer, call, *candidate, parts, body).await;
                    telemetry::answered(&shared, &rules, &answer, result);
                    Ok(answer)
                });
                // One that nobody wants need not be entered each time.
                if span.is_disabled() { judged } else { Box::pin(judged.instrument(span)) }
            }
        }
    }
}

impl<S> Once<S> {
    /// Lets a request pass as it is, and follows it.
    fn observed<B, R>(&self, mut inner: S, rules: &Arc<Rules>, parts: Parts, body: B) -> Passing<R, S::Error>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: http_body::Body + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
    {
        telemetry::count(self.layer.shared(), rules, metric::Result::Passed);
        let Some(Taps { body: tap, ended }) = observe::watch(&self.layer, rules, &parts) else {
            let answer = inner.call(Request::from_parts(parts, RequestBody::through(body)));
            return Box::pin(async move { Ok(answer.await?.map(Body::through)) });
        };
        let rules = Arc::clone(rules);
        let answer = inner.call(Request::from_parts(parts, RequestBody::observed(body, tap)));
        Box::pin(async move {
            match answer.await {
                Ok(answer) => Ok(observe::follow(answer, &rules, ended)),
                Err(error) => {
                    // Whoever listened has gone with the process.
                    let _ = ended.send(Ended::Lost);
                    Err(error)
                }
            }
        })
    }
}

/// A request that passes.
type Passing<R, E> = Pin<Box<dyn Future<Output = Result<Response<Body<R>>, E>> + Send>>;

/// The call of a service that is ready.
fn once<S, B, R>(mut inner: S) -> Call<R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: 'static,
{
    Box::new(move |parts, bytes| {
        let answer = inner.call(Request::from_parts(parts, RequestBody::from(bytes)));
        boxed::pinned(|| async move { answer.await.map_err(Into::into) })
    })
}
