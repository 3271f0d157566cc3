//! A claimed request on its way to the service and back. Outlives its client.
//!
//! Invariant: the outcome is durable before the first byte of the answer goes to any client; where it could not be
//! made durable, the answer says `unstored`. Every way out of here ends the attempt as kept, released or unknown.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Response, header, request::Parts, response};
use onlyonce_core::{
    Outcome, Owner, Record, State, Timestamp,
    event::{Completion, Unknown},
    outcome,
    record::{ReleaseCause, UnknownCause},
};
use onlyonce_ledger::{
    Attempt, Error,
    attempt::Unrecorded,
    begin::{Claimed, Leader, Standing},
    boxed,
};
use tokio::sync::oneshot;

use crate::{
    answer::{self, Status, Unsent},
    body::{Body, BoxError},
    capture::{self, Reading, Seen, Whole},
    fault::{self, Window},
    headers,
    layer::{Layer, Starts},
    problem::Refused,
    rules::{ForwardKey, Rules},
    sending::{NoAnswer, Start},
    service::Call,
    shared::Shared,
    stored::Stored,
    telemetry,
};

/// How many headers a service gets that the client has not sent; a proxy in it may add three.
const ADDED: usize = 8;

/// What the client's side is told: an answer, or what stands for the key after all.
pub(crate) type Reply<R> = Result<Response<Body<R>>, Standing>;

pub(crate) struct Execution<R> {
    pub(crate) layer: Layer,
    pub(crate) rules: Arc<Rules>,
    /// The client's key, for the service.
    pub(crate) as_sent: Option<HeaderValue>,
    /// Whose share of the buffered bytes its answer takes.
    pub(crate) one_of_many: Option<Owner>,
    pub(crate) reply: oneshot::Sender<Reply<R>>,
}

impl<R> Execution<R>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// Claims, calls, records, answers.
    pub(crate) async fn run(self, leader: Leader, call: Call<R>, parts: Parts, body: Bytes) {
        if self.layer.shared().is_given_up() {
            let answer = answer::failed(&self.rules, &Error::shutting_down());
            return self.send(Ok(answer));
        }
        if self.layer.shared().buffers.is_exceeded(self.one_of_many) {
            // Its answer has room for certain, so it must not begin before others, or its own caller, have let go of theirs.
            let error = leader.give_up(Error::capacity("bytes buffered"));
            let answer = answer::failed(&self.rules, &error);
            return self.send(Ok(answer));
        }
        let attempt = match leader.claim().await {
            Ok(Claimed::Attempt(attempt)) => Arc::new(attempt),
            Ok(Claimed::Stands(standing)) => return self.send(Err(standing)),
            Err(error) => {
                self.layer.shared().log.warn("a claim was not granted", &error);
                let answer = answer::failed(&self.rules, &error);
                return self.send(Ok(answer));
            }
        };
        telemetry::operation(attempt.operation_ref());
        fault::point(Window::ClaimedSent).await;
        let parts = self.seen_by_service(&attempt, parts, body.len());
        let reading = self.reading(&parts);
        let answered = async move { call(parts, body).await };
        let (starts, held) = (self.layer.starts(), Arc::clone(&attempt));
        self.see_through(attempt, boxed::pinned(|| seen(starts, reading, held, answered))).await;
    }

    /// Awaits the answer up to the deadline, and for a while beyond it.
    async fn see_through(self, attempt: Arc<Attempt>, mut call: Pin<Box<impl Future<Output = Seen<R>>>>) {
        let Self { layer, rules, reply, .. } = self;
        let shared = layer.shared();
        let cause = tokio::select! {
            biased;
            () = shared.given_up() => UnknownCause::Drained,
            seen = &mut call => {
                let answer = ended(&rules, &attempt, seen).await;
                fault::point(Window::RecordedDelivered).await;
                return tell(shared, &rules, reply, answer);
            }
            () = tokio::time::sleep(rules.policy.deadline) => UnknownCause::Deadline,
        };
        if attempt.abandon() {
            // It never got as far as its first byte, and now it cannot.
            drop(call);
            let answer =
                Box::pin(released(&rules, &attempt, ReleaseCause::NotStarted, Unsent::Unreachable)).await;
            return tell(shared, &rules, reply, answer);
        }
        let listener = shared.listen_on();
        let listening = listener.as_ref().map_or(Duration::ZERO, |_| rules.listening());
        // In boxes from here on: it is rare, and every request would have to be as large.
        let mut losing =
            Box::pin(lost_track(&rules, &attempt, Unknown { cause, seen_status: None, listening }));
        // The call is polled on meanwhile: it may hold the record, for a renewal.
        let mut late = None;
        let answer = tokio::select! {
            answer = &mut losing => answer,
            seen = &mut call => {
                late = Some(seen);
                losing.await
            }
        };
        tell(shared, &rules, reply, answer);
        if late.is_none() && listener.is_some() {
            late = tokio::time::timeout(listening, call).await.ok();
        }
        Box::pin(ended_late(&rules, &attempt, late)).await;
    }

    /// The request's head as the service sees it.
    fn seen_by_service(&self, attempt: &Arc<Attempt>, mut parts: Parts, length: usize) -> Parts {
        let headers = &mut parts.headers;
        // The body goes as it was read: whole, and without trailers.
        let whole = [header::EXPECT, header::UPGRADE, header::TRANSFER_ENCODING, header::TRAILER];
        headers::remove(headers, &whole);
        headers::remove(headers, &[headers::OUTCOME]);
        headers.reserve(ADDED);
        let reference = attempt.operation_ref().to_string();
        let value = |text: String| HeaderValue::try_from(text).expect("references are visible ASCII");
        let key = match self.rules.forward_key {
            ForwardKey::AsSent => self.as_sent.clone(),
            ForwardKey::Derived => Some(value(format!("\"{reference}\""))),
            ForwardKey::Off => None,
        };
        if self.rules.forward_key != ForwardKey::AsSent {
            self.rules.carriers.headers().iter().for_each(|name| _ = headers.remove(name));
        }
        match &key {
            Some(key) => _ = headers.insert(headers::KEY, key.clone()),
            None => _ = headers.remove(headers::KEY),
        }
        headers.insert(headers::OPERATION, value(reference));
        headers.insert(headers::ATTEMPT, HeaderValue::from(attempt.fence().0));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        parts.extensions.insert(Start { attempt: Arc::clone(attempt), key });
        parts
    }

    /// How the answer is read.
    fn reading(&self, sent: &Parts) -> Reading {
        Reading {
            rules: Arc::clone(&self.rules),
            room: self.layer.shared().buffers.reserve(self.one_of_many),
            key: sent.headers.get(headers::KEY).cloned(),
        }
    }

    fn send(self, reply: Reply<R>) {
        // The client may have gone; then nobody needs it.
        let _ = self.reply.send(reply);
    }
}

/// Gives the answer to the client. It may have gone; the outcome stands, and is counted all the same.
fn tell<R>(shared: &Shared, rules: &Rules, reply: oneshot::Sender<Reply<R>>, answer: Response<Body<R>>) {
    if let Err(Ok(answer)) = reply.send(Ok(answer)) {
        telemetry::answered(shared, rules, &answer, telemetry::result(&answer));
    }
}

/// Starts, and reads what the service answers; a panic or an error is an answer that is lost.
async fn seen<R>(
    starts: Starts,
    reading: Reading,
    attempt: Arc<Attempt>,
    answered: impl Future<Output = Result<Response<R>, BoxError>>,
) -> Seen<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    if starts == Starts::BeforeCall && attempt.start().await.is_err() {
        return Seen::NoAnswer(NoAnswer::NotSent);
    }
    let operation = attempt.operation_ref();
    let answer = async {
        match answered.await {
            Ok(answer) => capture::read(answer, reading).await,
            Err(error) => {
                tracing::error!(idempotency.operation_ref = %operation, %error, "the handler failed; the outcome is unknown");
                Seen::Failed
            }
        }
    };
    CatchUnwind(pin!(answer)).await.unwrap_or_else(|| {
        tracing::error!(idempotency.operation_ref = %operation, "the handler panicked; the outcome is unknown");
        Seen::Failed
    })
}

/// A late answer is recorded, if nothing else has happened to the record by then.
async fn ended_late<R>(rules: &Rules, attempt: &Attempt, late: Option<Seen<R>>)
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    match late {
        None | Some(Seen::NoAnswer(NoAnswer::Lost { .. }) | Seen::Failed) => {}
        Some(Seen::NoAnswer(NoAnswer::NotSent | NoAnswer::NoPlace)) => {
            // Nobody waits any more, and the key is free: that is all there is to tell.
            if let Err(unrecorded) = attempt.release(ReleaseCause::NotSent, None).await {
                log(attempt, &unrecorded);
            }
        }
        Some(seen) => _ = ended(rules, attempt, seen).await,
    }
}

/// Records what was seen, and gives the answer for the client.
async fn ended<R>(rules: &Rules, attempt: &Attempt, seen: Seen<R>) -> Response<Body<R>>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    match seen {
        Seen::NoAnswer(NoAnswer::NotSent) => {
            released(rules, attempt, ReleaseCause::NotSent, Unsent::Unreachable).await
        }
        Seen::NoAnswer(NoAnswer::NoPlace) => {
            released(rules, attempt, ReleaseCause::NotSent, Unsent::NoPlace).await
        }
        Seen::NoAnswer(NoAnswer::Lost { seen_status }) => {
            let unknown = Unknown { cause: UnknownCause::AnswerLost, seen_status, listening: Duration::ZERO };
            lost_track(rules, attempt, unknown).await
        }
        Seen::Failed => lost_track(rules, attempt, UnknownCause::Handler.into()).await,
        Seen::Whole { mut parts, mut whole } => {
            fault::point(Window::AnsweredRecorded).await;
            let (status, until) = record(rules, attempt, &parts, Some(&mut whole)).await;
            // The first caller gets those that a repeat gets: none of them speaks to the layer, or of one answer only.
            let named = headers::named_by_connection(&parts.headers);
            let trailers = whole
                .trailers
                .take()
                .map(|trailers| headers::kept(&trailers, &named))
                .filter(|trailers| !trailers.is_empty());
            answer::announce(&mut parts.headers, trailers.as_ref());
            give(parts, Body::with_trailers(whole.into_bytes(), trailers), status, until)
        }
        Seen::Large { parts, prefix, rest } => {
            let (status, until) = record(rules, attempt, &parts, None).await;
            give(parts, Body::Spilled { prefix, rest }, status, until)
        }
    }
}

fn give<R>(
    mut parts: response::Parts,
    body: Body<R>,
    status: Status,
    until: Option<Timestamp>,
) -> Response<Body<R>> {
    headers::remove(&mut parts.headers, &headers::BETWEEN);
    parts.extensions.remove::<Outcome>();
    let mut answer = Response::from_parts(parts, body);
    answer::mark(&mut answer, status, until);
    answer
}

/// Ends the attempt by what its answer says. `whole` is `None` if it was not read to its end: it streams on.
async fn record(
    rules: &Rules,
    attempt: &Attempt,
    parts: &response::Parts,
    whole: Option<&mut Whole>,
) -> (Status, Option<Timestamp>) {
    let status = parts.status.as_u16();
    let said = parts.headers.get(headers::OUTCOME);
    let word = handlers_word(&parts.extensions, said);
    if word.is_none() && said.is_some() {
        tracing::warn!(idempotency.operation_ref = %attempt.operation_ref(), "Idempotency-Outcome has a value that means nothing");
    }
    let recorded = match word.unwrap_or_else(|| meaning(rules, attempt, parts, whole.as_deref())) {
        Outcome::Kept => {
            let (completion, result) = match kept(rules, parts, whole) {
                Some(result) => (Completion::Kept { status }, result),
                None => (Completion::TooLarge { status }, Bytes::new()),
            };
            attempt.complete(completion, result).await
        }
        Outcome::Released => {
            // For those who wait now; nothing of it is stored.
            let same = whole.filter(|_| answer::is_same_for_waiters(status));
            let shared = same.map(|whole| whole.encode(rules, parts));
            let cause = word.map_or(ReleaseCause::Answered(status), |_| ReleaseCause::Handler);
            attempt.release(cause, shared).await
        }
        Outcome::Unknown => {
            let cause = word.map_or(UnknownCause::Answered, |_| UnknownCause::Handler);
            let unknown = Unknown { seen_status: Some(status), ..cause.into() };
            attempt.lose_track(unknown).await
        }
    };
    match recorded {
        Ok(record) => told(&record),
        Err(unrecorded) => {
            log(attempt, &unrecorded);
            (Status::Unstored, None)
        }
    }
}

/// The result that repeats get; `None` if there is more of it than is kept. That counts also where bodies are not kept: the
/// rest may yet break off, and a repeat must not take it for whole.
fn kept(rules: &Rules, parts: &response::Parts, whole: Option<&mut Whole>) -> Option<Bytes> {
    let fits = whole.filter(|whole| whole.len() <= rules.answer_limit)?;
    Some(if rules.store_body {
        fits.encode(rules, parts)
    } else {
        Stored::keep_bare(parts.status, &parts.headers, &rules.drop).encode()
    })
}

/// What the handler itself says of the operation, by an [`Outcome`] in the answer's extensions or by
/// `Idempotency-Outcome`: it goes before all else.
pub(crate) fn handlers_word(extensions: &Extensions, header: Option<&HeaderValue>) -> Option<Outcome> {
    if let Some(said) = extensions.get::<Outcome>() {
        return Some(*said);
    }
    match header?.as_bytes() {
        b"keep" => Some(Outcome::Kept),
        b"release" => Some(Outcome::Released),
        b"unknown" => Some(Outcome::Unknown),
        _ => None,
    }
}

/// What the answer says of the operation.
fn meaning(rules: &Rules, attempt: &Attempt, parts: &response::Parts, whole: Option<&Whole>) -> Outcome {
    let answer = outcome::Answer {
        status: parts.status.as_u16(),
        retry_after: parts.headers.contains_key(header::RETRY_AFTER),
        rerun: attempt.is_rerun(),
        inner: whole.and_then(|whole| whole.inner),
    };
    outcome::of_answer(answer, &rules.outcomes)
}

fn told(record: &Record) -> (Status, Option<Timestamp>) {
    match record.state {
        State::Completed { result_until, .. } => (Status::Executed, Some(result_until)),
        State::Tombstone { .. } => (Status::Executed, None),
        State::Released { .. } => (Status::Released, None),
        State::Unknown { .. } | State::InProgress { .. } => (Status::Unknown, None),
    }
}

/// Nothing was sent. That frees the key, unless an earlier attempt's outcome is unknown: the record that was written says which.
async fn released<R>(
    rules: &Rules,
    attempt: &Attempt,
    cause: ReleaseCause,
    why: Unsent,
) -> Response<Body<R>> {
    let shared = Stored::of_refusal(why.recorded(), &rules.problem_base);
    match attempt.release(cause, Some(shared.encode())).await {
        Ok(record) => match told(&record).0 {
            Status::Unknown => {
                answer::lost(rules, attempt, UnknownCause::RerunRefused.into(), Status::Unknown)
            }
            status => marked(rules, why.recorded(), status),
        },
        Err(unrecorded) => {
            log(attempt, &unrecorded);
            marked(rules, why.unrecorded(), Status::Unstored)
        }
    }
}

fn marked<R>(rules: &Rules, refused: Refused, status: Status) -> Response<Body<R>> {
    let mut answer = refused.into_response(&rules.problem_base);
    answer::mark(&mut answer, status, None);
    answer
}

/// Nobody knows: bytes were sent.
async fn lost_track<R>(rules: &Rules, attempt: &Attempt, unknown: Unknown) -> Response<Body<R>> {
    let status = match attempt.lose_track(unknown).await {
        Ok(record) => told(&record).0,
        Err(unrecorded) => {
            log(attempt, &unrecorded);
            Status::Unstored
        }
    };
    answer::lost(rules, attempt, unknown, status)
}

fn log(attempt: &Attempt, unrecorded: &Unrecorded) {
    tracing::error!(idempotency.operation_ref = %attempt.operation_ref(), why = unrecorded.as_str(), "an answer goes out that is not on record");
}

/// `None` instead of a panic.
struct CatchUnwind<'f, F>(Pin<&'f mut F>);

impl<F: Future> Future for CatchUnwind<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    }
}
