//! One service on trial: what is done to it, and what must hold.

use std::{
    future::{Future, poll_fn},
    sync::atomic::{AtomicU64, Ordering},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use onlyonce_http::headers;
use tower_service::Service;

use super::{body::TestBody, seen::Seen};
use crate::service::BoxError;

/// How many repeats come one after another.
const REPEATS: usize = 3;
/// How many come at once.
const RACERS: usize = 16;
/// After how many polls at most a client hangs up; a handler that needs more is hung up on so early only.
const POLLS: usize = 64;
/// How often a request comes again that was told to come later.
const ATTEMPTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Every trial of a process has its own keys, also on a service that remembers them.
static KEYS: AtomicU64 = AtomicU64::new(0);

pub(super) struct Trial<S, E> {
    service: S,
    request: Request<Bytes>,
    effects: E,
    run: u64,
}

impl<S, R, E> Trial<S, E>
where
    S: Service<Request<TestBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
    E: Fn() -> usize,
{
    pub(super) fn new(service: S, request: Request<Bytes>, effects: E) -> Self {
        assert!(
            !request.headers().contains_key(headers::KEY),
            "assert_once: the request has a key already; it is sent under fresh ones"
        );
        use std::hash::{BuildHasher, RandomState};
        Self { service, request, effects, run: RandomState::new().hash_one(0) }
    }

    pub(super) async fn sequence(&self) {
        let (what, key, before) = self.begin("in sequence");
        let first = self.answer(what, &key).await;
        self.one_effect(what, before, &first.to_string());
        for _ in 0..REPEATS {
            self.repeat(what, &key, before, &first).await;
        }
    }

    pub(super) async fn race(&self) {
        let (what, key, before) = self.begin("at once");
        let racers: Vec<_> = (0..RACERS).map(|_| tokio::spawn(self.call(&key, self.whole()))).collect();
        let mut answers = Vec::new();
        for racer in racers {
            let answered = racer.await.unwrap_or_else(|panic| violated(what, &panic.to_string()));
            let answer = answered.unwrap_or_else(|error| violated(what, &failed(&error)));
            if !answer.says_later() {
                answers.push(answer);
            }
        }
        let first = match answers.pop() {
            Some(answer) => answer,
            None => self.answer(what, &key).await,
        };
        self.one_effect(what, before, &format!("{RACERS} requests"));
        answers.iter().for_each(|other| identical(what, &first, other));
        self.repeat(what, &key, before, &first).await;
    }

    /// The answer is lost on its way: nobody reads it.
    pub(super) async fn dropped_answer(&self) {
        let (what, key, before) = self.begin("with its answer thrown away");
        let mut service = self.service.clone();
        let request = self.keyed(&key, self.whole());
        if poll_fn(|context| service.poll_ready(context)).await.is_ok() {
            drop(service.call(request).await);
        }
        let again = self.answer(what, &key).await;
        self.one_effect(what, before, &again.to_string());
        self.repeat(what, &key, before, &again).await;
    }

    /// The client hangs up after every number of polls.
    pub(super) async fn hung_up(&self) {
        for polls in 0..POLLS {
            let (what, key, before) = self.begin("with its client gone");
            let mut call = Box::pin(self.call(&key, self.whole()));
            let mut finished = false;
            for _ in 0..polls {
                finished = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
                if finished {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(call);
            let again = self.answer(what, &key).await;
            self.one_effect(what, before, &format!("hung up after {polls} polls, then {again}"));
            self.repeat(what, &key, before, &again).await;
            if finished {
                return;
            }
        }
    }

    /// A body that does not arrive whole is no request, and the whole one after it is the first.
    pub(super) async fn half_a_body(&self) {
        if self.request.body().is_empty() {
            return;
        }
        let (what, key, before) = self.begin("with its body cut off");
        // An answer or an error: either tells the client that it did not get through.
        let _ = self.call(&key, TestBody::broken_off(self.request.body().clone())).await;
        if (self.effects)() != before {
            violated(what, "it took effect before its body had arrived");
        }
        let first = self.answer(what, &key).await;
        self.one_effect(what, before, &first.to_string());
    }

    pub(super) async fn other_body(&self) {
        let (what, key, before) = self.begin("with another body");
        let first = self.answer(what, &key).await;
        let other = self.call(&key, TestBody::whole(changed(self.request.body()))).await;
        let other = other.unwrap_or_else(|error| violated(what, &failed(&error)));
        if !other.status.is_client_error() {
            let why = format!("the same key with another body got {other}, and must be refused");
            violated(what, &why);
        }
        self.one_effect(what, before, &other.to_string());
        self.repeat(what, &key, before, &first).await;
    }

    fn begin(&self, what: &'static str) -> (&'static str, HeaderValue, usize) {
        let number = KEYS.fetch_add(1, Ordering::Relaxed);
        let key = HeaderValue::try_from(format!("assert-once-{:016x}-{number}", self.run));
        (what, key.expect("hexadecimal digits are ASCII"), (self.effects)())
    }

    fn whole(&self) -> TestBody {
        TestBody::whole(self.request.body().clone())
    }

    fn keyed(&self, key: &HeaderValue, body: TestBody) -> Request<TestBody> {
        let mut request = self.request.clone().map(|_| body);
        request.headers_mut().insert(headers::KEY, key.clone());
        request
    }

    fn call(
        &self,
        key: &HeaderValue,
        body: TestBody,
    ) -> impl Future<Output = Result<Seen, BoxError>> + Send + 'static {
        let mut service = self.service.clone();
        let request = self.keyed(key, body);
        async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            let answer = service.call(request).await.map_err(Into::into)?;
            Seen::of(answer).await
        }
    }

    /// The answer that a patient client gets.
    async fn answer(&self, what: &str, key: &HeaderValue) -> Seen {
        for _ in 0..ATTEMPTS {
            let answered = self.call(key, self.whole()).await;
            let seen = answered.unwrap_or_else(|error| violated(what, &failed(&error)));
            if !seen.says_later() {
                return seen;
            }
            tokio::time::sleep(PAUSE).await;
        }
        violated(what, "a repeat was told to come later for half a minute")
    }

    async fn repeat(&self, what: &str, key: &HeaderValue, before: usize, first: &Seen) {
        let again = self.answer(what, key).await;
        self.one_effect(what, before, &format!("a repeat was answered {again}"));
        identical(what, first, &again);
    }

    fn one_effect(&self, what: &str, before: usize, seen: &str) {
        match (self.effects)().saturating_sub(before) {
            1 => {}
            0 => violated(what, &format!("nothing took effect ({seen})")),
            many => violated(what, &format!("one key took effect {many} times ({seen})")),
        }
    }
}

fn identical(what: &str, first: &Seen, other: &Seen) {
    if !first.same(other) {
        violated(what, &format!("a repeat was answered {other}, and the first {first}"));
    }
}

fn failed(error: &BoxError) -> String {
    format!("the service failed instead of answering: {error}")
}

fn violated(what: &str, why: &str) -> ! {
    panic!("assert_once: a request that is sent {what}: {why}")
}

/// Another request by any measure: another value where it is JSON, and other bytes where it is not.
fn changed(body: &Bytes) -> Bytes {
    match serde_json::from_slice(body) {
        Ok(serde_json::Value::Object(mut members)) => {
            members.insert("assert_once".to_owned(), "another request".into());
            serde_json::to_vec(&members).expect("a map of values can be written as JSON").into()
        }
        _ => [body, &b"!"[..]].concat().into(),
    }
}
