//! The layer itself: which requests are keyed, whose they are, and where they go.
//!
//! Order of judgement, the first that applies: early data, principal, key missing or invalid, and then what
//! `exchange` judges. A request that no rules cover passes untouched.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, request::Parts};
use onlyonce_core::{
    Key,
    fingerprint::Fingerprinter,
    problem,
    scope::{Principal, Scopes},
};
use onlyonce_ledger::Ledger;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower_service::Service;

use crate::{
    answer,
    body::{Body, BoxError},
    exchange::{self, Keyed},
    headers,
    problem::Refused,
    rules::{Requirement, Rules},
};

/// Which rules a request falls under; `None`: it passes untouched.
pub type Select = dyn Fn(&Parts) -> Option<Arc<Rules>> + Send + Sync;
/// Who sends a request; the error says what is missing and how to mend it.
pub type Identify = dyn Fn(&Parts, &Scopes) -> Result<Principal, String> + Send + Sync;

/// Most attempts whose record is unknown and that still listen for a late answer; beyond it, connections are closed.
const LATE_LISTENERS: usize = 4096;

/// When an attempt counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// When the inner service is called.
    BeforeCall,
    /// When the inner service says so, with [`crate::Start`].
    ByService,
}

/// What all requests of one ledger share.
pub struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) scopes: Scopes,
    pub(crate) fingerprinter: Fingerprinter,
    pub(crate) starts: Starts,
    select: Box<Select>,
    identify: Box<Identify>,
    given_up: watch::Sender<bool>,
    listeners: Arc<Semaphore>,
}

impl Shared {
    /// For a ledger and a namespace; two layers in front of each other on one ledger need different ones.
    pub fn new(
        ledger: Ledger,
        namespace: &str,
        starts: Starts,
        select: Box<Select>,
        identify: Box<Identify>,
    ) -> Self {
        Self {
            scopes: Scopes::new(ledger.key(), namespace),
            fingerprinter: Fingerprinter::new(ledger.key()),
            starts,
            select,
            identify,
            given_up: watch::Sender::new(false),
            listeners: Arc::new(Semaphore::new(LATE_LISTENERS)),
            ledger,
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How record ids are made here.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Ends what is still running, because the process stops: what has not started is released, the rest becomes
    /// unknown, and every client is told so. Whoever calls this waits a moment for it to be written.
    pub fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Whether what is running is given up.
    pub(crate) fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// A place to go on listening for a late answer; `None`: there are too many who do.
    pub(crate) fn listen_on(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.listeners).try_acquire_owned().ok()
    }

    /// Resolves when what is running is to be given up.
    pub(crate) async fn given_up(&self) {
        let mut given_up = self.given_up.subscribe();
        // The sender is in `self`.
        let _ = given_up.wait_for(|given_up| *given_up).await;
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// What is missing, in plain words.
    pub fn identify(&self, parts: &Parts) -> Result<Principal, String> {
        (self.identify)(parts, &self.scopes)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// A service that acts once per key.
#[derive(Clone, Debug)]
pub struct Once<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Once<S> {
    /// Wraps `inner`.
    pub const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

/// What a request is to this layer.
enum Judged {
    Untouched,
    Keyed(Box<Keyed>),
    Refused(Box<Refused>, Option<HeaderValue>),
}

impl Shared {
    fn judge(&self, parts: &Parts) -> Judged {
        let Some(rules) = (self.select)(parts).filter(|rules| rules.covers(&parts.method)) else {
            return Judged::Untouched;
        };
        let mut lines = parts.headers.get_all(headers::KEY).iter();
        let line = lines.next();
        if line.is_none() && rules.requirement != Requirement::Required {
            return Judged::Untouched;
        }
        let refused = |problem| Judged::Refused(Box::new(problem), line.cloned());
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
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is not ready, the original is: tower's contract, see `Service::call`.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        let (parts, body) = request.into_parts();
        match shared.judge(&parts) {
            Judged::Untouched => {
                let answer = inner.call(Request::from_parts(parts, body));
                Box::pin(async move {
                    let mut answer = answer.await?.map(Body::through);
                    // Said to this layer, also where it does not listen.
                    answer.headers_mut().remove(headers::OUTCOME);
                    Ok(answer)
                })
            }
            Judged::Refused(refused, key) => {
                tracing::debug!(problem = refused.name(), "refused before the ledger was asked");
                let mut answer = refused.into_response();
                if let Some(key) = key {
                    answer::echo(&mut answer, &key);
                }
                Box::pin(std::future::ready(Ok(answer)))
            }
            Judged::Keyed(keyed) => {
                Box::pin(async move { Ok(exchange::run(shared, inner, *keyed, parts, body).await) })
            }
        }
    }
}
