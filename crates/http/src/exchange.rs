//! A keyed request on behalf of its client: body, look-up, waiting. Ends when the client goes away.
//!
//! Invariant: nothing here claims. The moment the key turns out to be free, the rest is handed to a task of its own
//! (`execution`), without an await in between, so a client that hangs up can leave no claim behind.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};
use onlyonce_core::metric;
use onlyonce_ledger::{begin::Look, boxed};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::{
    answer::{self, Asked},
    body::{Body, BoxError},
    execution::Execution,
    forgotten,
    incoming::{self, Unread},
    layer::Layer,
    open,
    rules::Rules,
    sameness::{self, Found},
    search::Candidate,
    service::Call,
    shared::Shared,
    telemetry,
};

#[expect(
    clippy::manual_async_fn,
    reason = "whoever waits is one of thousands, and an `async fn` keeps its arguments twice"
)]
pub(crate) fn run<B, R>(
    layer: Layer,
    call: Call<R>,
    candidate: Candidate,
    parts: Parts,
    body: B,
) -> impl Future<Output = (Response<Body<R>>, metric::Result)>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    async move {
        let mut echo = candidate.echo().cloned();
        let rules = Arc::clone(&candidate.rules);
        let room = layer.shared().buffers.reserve(candidate.one_of_many());
        let mut answer = match incoming::read(body, &rules, room).await {
            Ok(body) => match sameness::judge(&layer, candidate, &parts, &body) {
                Ok(None) => return (open::forward(call, &rules, parts, body).await, metric::Result::Passed),
                Ok(Some(found)) => {
                    echo.clone_from(&found.0.echo);
                    match judged(layer, call, found, parts, body).await {
                        Judged::Answered(answer) => answer,
                        // It went as one without a key: nothing about its answer may look as if the key counted.
                        Judged::Passed(answer) => return (answer, metric::Result::Passed),
                    }
                }
                Err(refused) => refused.into_response(&rules.problem_base),
            },
            Err(unread) => {
                let mut answer = match unread {
                    Unread::Refused(refused) => refused.into_response(&rules.problem_base),
                    Unread::NoRoom => {
                        answer::no_room(layer.shared(), &rules, candidate.record_id(layer.shared()))
                    }
                };
                // What is left of the body is not read: the connection cannot be used again.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                answer
            }
        };
        answer::echo(&mut answer, echo.as_ref());
        let result = telemetry::result(&answer);
        (answer, result)
    }
}

/// How a request went.
enum Judged<R> {
    Answered(Response<Body<R>>),
    /// Without the ledger, as if it had no key.
    Passed(Response<Body<R>>),
}

#[expect(
    clippy::manual_async_fn,
    reason = "whoever waits is one of thousands, and an `async fn` keeps its arguments twice"
)]
fn judged<R>(
    layer: Layer,
    call: Call<R>,
    found: Found,
    parts: Parts,
    body: Bytes,
) -> impl Future<Output = Judged<R>>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    async move {
        let (keyed, request) = &found;
        let shared = Arc::clone(layer.shared());
        let rules = Arc::clone(&keyed.rules);
        telemetry::key(&shared, request.id);
        let asked = Asked {
            id: request.id,
            rules: &rules,
            parameters: &request.parameters,
            one_of_many: keyed.asker.one_of_many(),
        };
        let leader = match shared.ledger.look_up(request, rules.wait).await {
            Ok(Look::Free(leader)) => leader,
            Ok(Look::Stands(standing)) => {
                telemetry::met(&shared, request.id, &standing);
                return Judged::Answered(answer::standing(&shared, &asked, standing));
            }
            Err(error) if rules.fail_open && error.knows_nothing() => {
                // In a box, because it is rare and everybody who waits would have to be as large.
                let passed = Box::pin(open::pass(call, &shared, &rules, parts, body, &error));
                return Judged::Passed(passed.await);
            }
            Err(error) => return Judged::Answered(refused_by_ledger(&shared, &rules, &error)),
        };
        if let Some(forgotten) = forgotten::why(keyed, &leader, &shared.ledger) {
            let refused = answer::forgotten(&rules, forgotten);
            return Judged::Answered(refused.into_response(&rules.problem_base));
        }
        let (reply, answered) = oneshot::channel();
        let as_sent = keyed.as_sent();
        let one_of_many = asked.one_of_many;
        let execution = Execution { layer, rules: Arc::clone(&rules), as_sent, one_of_many, reply };
        // In a box: a task moves what it runs several times, and this is some kilobytes.
        tokio::spawn(boxed::pinned(|| execution.run(leader, call, parts, body)).in_current_span());
        Judged::Answered(match answered.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(standing)) => {
                telemetry::met(&shared, request.id, &standing);
                answer::standing(&shared, &asked, standing)
            }
            // Only a runtime that is shutting down drops the task without an answer.
            Err(_) => refused_by_ledger(&shared, &rules, &onlyonce_ledger::Error::shutting_down()),
        })
    }
}

fn refused_by_ledger<R>(shared: &Shared, rules: &Rules, error: &onlyonce_ledger::Error) -> Response<Body<R>> {
    shared.log.warn("a keyed request was refused", error);
    answer::failed(rules, error)
}
