//! A keyed request on behalf of its client: body, look-up, waiting. Ends when the client goes away.
//!
//! Invariant: nothing here claims. The moment the key turns out to be free, the rest is handed to a task of its own
//! (`execution`), without an await in between, so a client that hangs up can leave no claim behind.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};
use onlyonce_core::{
    Key, RecordId,
    canonical::{self, Content},
    fingerprint::{self, Recipe},
    metric,
    parameters::parameters,
    scope::{Carrier, Principal, PrincipalMode},
};
use onlyonce_ledger::begin::{self, Look};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::{
    answer::{self, Asked},
    body::{Body, BoxError},
    execution::Execution,
    incoming::{self, Unread},
    layer::Layer,
    open,
    rules::Rules,
    service::Call,
    shared::Shared,
    telemetry,
};

/// A request with a valid key and a known principal.
pub(crate) struct Keyed {
    pub(crate) key: Key,
    /// The key's field value, as it came.
    pub(crate) sent: HeaderValue,
    pub(crate) principal: Principal,
    pub(crate) rules: Arc<Rules>,
}

pub(crate) async fn run<B, R>(
    layer: Layer,
    call: Call<R>,
    keyed: Keyed,
    parts: Parts,
    body: B,
) -> (Response<Body<R>>, metric::Result)
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let sent = keyed.sent.clone();
    let mut answer = match incoming::read(body, &keyed.rules, &layer.shared().buffers).await {
        Ok(body) => match judged(layer, call, keyed, parts, body).await {
            Judged::Answered(answer) => answer,
            // It went as one without a key: nothing about its answer may look as if the key counted.
            Judged::Passed(answer) => return (answer, metric::Result::Passed),
        },
        Err(unread) => {
            let mut answer = match unread {
                Unread::Refused(refused) => refused.into_response(&keyed.rules.problem_base),
                Unread::NoRoom => answer::no_room(layer.shared(), &keyed.rules, record_id(&layer, &keyed)),
            };
            // What is left of the body is not read: the connection cannot be used again.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            answer
        }
    };
    answer::echo(&mut answer, &sent);
    let result = telemetry::result(&answer);
    (answer, result)
}

/// How a request went.
enum Judged<R> {
    Answered(Response<Body<R>>),
    /// Without the ledger, as if it had no key.
    Passed(Response<Body<R>>),
}

fn record_id(layer: &Layer, keyed: &Keyed) -> RecordId {
    layer.shared().scopes.record_id(&keyed.principal, Carrier::Explicit, &keyed.key)
}

async fn judged<R>(layer: Layer, call: Call<R>, keyed: Keyed, parts: Parts, body: Bytes) -> Judged<R>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let shared = Arc::clone(layer.shared());
    let rules = Arc::clone(&keyed.rules);
    let request = seen_by_ledger(&shared, &keyed, &parts, &body);
    telemetry::key(&shared, request.id);
    let asked = Asked {
        id: request.id,
        rules: &rules,
        parameters: &request.parameters,
        identified: keyed.principal.mode() != PrincipalMode::Anonymous,
    };
    let leader = match shared.ledger.look_up(&request, rules.wait).await {
        Ok(Look::Free(leader)) => leader,
        Ok(Look::Stands(standing)) => {
            telemetry::met(&shared, request.id, &standing);
            return Judged::Answered(answer::standing(&shared, &asked, standing));
        }
        Err(error) if rules.fail_open && error.knows_nothing() => {
            return Judged::Passed(open::pass(call, &shared, &rules, parts, body, &error).await);
        }
        Err(error) => return Judged::Answered(refused_by_ledger(&rules, &error)),
    };
    let (reply, answered) = oneshot::channel();
    let execution = Execution { layer, rules: Arc::clone(&rules), key: keyed.key, reply };
    tokio::spawn(execution.run(leader, call, parts, body).in_current_span());
    Judged::Answered(match answered.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(standing)) => {
            telemetry::met(&shared, request.id, &standing);
            answer::standing(&shared, &asked, standing)
        }
        // Only a runtime that is shutting down drops the task without an answer.
        Err(_) => refused_by_ledger(&rules, &onlyonce_ledger::Error::shutting_down()),
    })
}

fn refused_by_ledger<R>(rules: &Rules, error: &onlyonce_ledger::Error) -> Response<Body<R>> {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "a keyed request was refused");
    answer::failed(rules, error)
}

fn seen_by_ledger(shared: &Shared, keyed: &Keyed, parts: &Parts, body: &Bytes) -> begin::Request {
    let rules = &keyed.rules;
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE);
    let content_coding = text(header::CONTENT_ENCODING);
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or_else(|| text(header::HOST));
    let coded = canonical::codings(content_coding).next().is_some();
    let content = Content::read(content_type, coded, body);
    let request = fingerprint::Request {
        authority: host.filter(|_| rules.sameness.authority),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        content_type,
        content_coding,
        headers: &[],
        content: &content,
    };
    let fingerprint = shared.fingerprinter.fingerprint(Recipe::V1, &request);
    let shown = parameters(&rules.redaction, &request, body.len());
    begin::Request {
        id: shared.scopes.record_id(&keyed.principal, Carrier::Explicit, &keyed.key),
        recipe: Recipe::V1,
        fingerprint,
        owner: shared.scopes.owner(&keyed.principal),
        one_of_many: keyed.principal.mode() != PrincipalMode::Anonymous,
        route: rules.name.to_string(),
        policy: rules.policy.clone(),
        parameters: shown.into(),
    }
}
