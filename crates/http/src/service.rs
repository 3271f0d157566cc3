//! The layer itself: which requests are keyed, whose they are, and where they go.
//!
//! Order of judgement, the first that applies: early data, principal, key missing or invalid, and then what
//! `exchange` judges. A request that no rules cover passes untouched.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, request::Parts};
use onlyonce_core::{Key, metric, problem};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    answer,
    body::{Body, BoxError},
    exchange::{self, Keyed},
    headers,
    layer::Layer,
    observed::Start,
    problem::Refused,
    request_body::RequestBody,
    rules::{Requirement, Rules},
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

/// What a request is to this layer.
enum Judged {
    /// With its rules, where it has any.
    Untouched(Option<Arc<Rules>>),
    Keyed(Box<Keyed>),
    /// With the key to be echoed.
    Refused(Box<Refused>, Arc<Rules>, Option<HeaderValue>),
}

impl Layer {
    fn judge(&self, parts: &Parts) -> Judged {
        if parts.extensions.get::<Start>().is_some() {
            // A layer further out has claimed for this very request, which must not wait for itself.
            return Judged::Untouched(None);
        }
        let Some(rules) = self.select(parts) else { return Judged::Untouched(None) };
        if !rules.covers(&parts.method) {
            return Judged::Untouched(Some(rules));
        }
        let mut lines = parts.headers.get_all(headers::KEY).iter();
        let line = lines.next();
        if line.is_none() && rules.requirement != Requirement::Required {
            return Judged::Untouched(Some(rules));
        }
        let refused = |problem| Judged::Refused(Box::new(problem), Arc::clone(&rules), line.cloned());
        if line.is_some() && parts.headers.get(headers::EARLY_DATA).is_some_and(|value| value == "1") {
            return refused(Refused::new(
                problem::TOO_EARLY,
                "A request with a key is not taken from early data, which may be replayed by anybody. Nothing was \
                 done. Send it again with the same key.",
            ));
        }
        let principal = match self.identify(parts) {
            Ok(principal) => principal,
            Err(detail) => return refused(Refused::new(problem::PRINCIPAL_REQUIRED, detail)),
        };
        let Some(line) = line else { return refused(missing(&rules)) };
        if lines.next().is_some() {
            return refused(Refused::new(
                problem::KEY_INVALID,
                "Idempotency-Key was sent more than once. Nothing was done. Send one line with one key.",
            ));
        }
        match Key::parse(line.as_bytes(), rules.syntax) {
            Ok(key) => Judged::Keyed(Box::new(Keyed { key, sent: line.clone(), principal, rules })),
            Err(invalid) => {
                refused(Refused::new(problem::KEY_INVALID, format!("{invalid}. Nothing was done.")))
            }
        }
    }
}

fn missing(rules: &Rules) -> Refused {
    Refused::new(
        problem::KEY_MISSING,
        format!(
            "{} needs a header Idempotency-Key, so that it can be repeated safely. Nothing was done. Make one key \
             per intent, for example a UUID, and send the same one with every repeat.",
            rules.name
        ),
    )
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
        match self.layer.judge(&parts) {
            Judged::Untouched(rules) => {
                if let Some(rules) = rules {
                    telemetry::count(self.layer.shared(), &rules, metric::Result::Passed);
                }
                if parts.extensions.get::<Start>().is_none() {
                    headers::OURS.iter().for_each(|name| _ = parts.headers.remove(name));
                }
                let answer = inner.call(Request::from_parts(parts, RequestBody::through(body)));
                Box::pin(async move {
                    let mut answer = answer.await?.map(Body::through);
                    // Said to this layer, also where it does not listen.
                    answer.headers_mut().remove(headers::OUTCOME);
                    Ok(answer)
                })
            }
            Judged::Refused(refused, rules, key) => {
                let mut answer = refused.into_response(&rules.problem_base);
                let result = telemetry::result(&answer);
                telemetry::span(&rules).in_scope(|| {
                    telemetry::answered(self.layer.shared(), &rules, &answer, result);
                });
                if let Some(key) = key {
                    answer::echo(&mut answer, &key);
                }
                Box::pin(async move { Ok(answer) })
            }
            Judged::Keyed(keyed) => {
                let layer = self.layer.clone();
                let call = once(inner);
                let span = telemetry::span(&keyed.rules);
                let keyed_request = async move {
                    let (shared, rules) = (Arc::clone(layer.shared()), Arc::clone(&keyed.rules));
                    let (answer, result) = exchange::run(layer, call, *keyed, parts, body).await;
                    telemetry::answered(&shared, &rules, &answer, result);
                    Ok(answer)
                };
                Box::pin(keyed_request.instrument(span))
            }
        }
    }
}

/// The call of a service that is ready.
fn once<S, B, R>(mut inner: S) -> Call<R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    Box::new(move |parts, bytes| {
        Box::pin(async move {
            inner.call(Request::from_parts(parts, RequestBody::from(bytes))).await.map_err(Into::into)
        })
    })
}
