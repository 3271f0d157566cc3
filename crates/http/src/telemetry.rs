//! What becomes of requests, as operators see it: counted by route, in a span, in a line.
//!
//! Invariant: what is told of a request is its route, a short keyed hash of its key, the operation's name, and the id
//! that its route names. Never a key, a principal, a body or a credential. A span that nobody wants costs a look at a
//! flag, and a count one atomic operation: the handles of a route are resolved by its first request.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use http::Response;
use metrics::Counter;
use onlyonce_core::{
    OperationRef, RecordId, Refusal,
    json::{self, Value},
    metric::{self, Metric},
    problem::Problem,
};
use onlyonce_ledger::{Meter, begin::Standing};
use tracing::{Span, field::Empty};

use crate::{
    body::Body,
    headers,
    rules::{Resource, Rules},
    shared::Shared,
};

/// Longest id that a span carries; the rest is cut off.
const RESOURCE_CHARACTERS: usize = 128;

/// Where the requests of one route are counted. Rules are counted with the ledger that first uses them.
#[derive(Clone, Default)]
pub struct Counted {
    enforced: OnceLock<Arc<Counters>>,
    observed: OnceLock<Arc<[Counter; metric::Result::ALL.len()]>>,
}

struct Counters {
    results: [Counter; metric::Result::ALL.len()],
    fail_open: Counter,
}

/// In the extensions of a refusal: which one it is.
#[derive(Clone, Copy)]
pub(crate) struct Named(pub(crate) Problem);

impl Counted {
    /// One request, by what became of it.
    pub(crate) fn request(&self, meter: &Meter, route: &str, result: metric::Result) {
        if let Some(counter) = self.of(meter, route).results.get(result as usize) {
            counter.increment(1);
        }
    }

    /// One request of an observed route, by what would have become of it.
    fn observed(&self, meter: &Meter, route: &str, result: metric::Result) {
        let results = self.observed.get_or_init(|| Arc::new(by_result(meter, &metric::OBSERVED, route)));
        if let Some(counter) = results.get(result as usize) {
            counter.increment(1);
        }
    }

    /// One request that passes unprotected.
    pub(crate) fn fail_open(&self, meter: &Meter, route: &str) {
        self.of(meter, route).fail_open.increment(1);
    }

    fn of(&self, meter: &Meter, route: &str) -> &Counters {
        self.enforced.get_or_init(|| {
            Arc::new(Counters {
                results: by_result(meter, &metric::REQUESTS, route),
                fail_open: meter.counter(&metric::FAIL_OPEN, &[route]),
            })
        })
    }
}

fn by_result(meter: &Meter, metric: &Metric, route: &str) -> [Counter; metric::Result::ALL.len()] {
    metric::Result::ALL.map(|result| meter.counter(metric, &[route, result.as_str()]))
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

/// Counts a request of a route.
pub(crate) fn count(shared: &Shared, rules: &Rules, result: metric::Result) {
    rules.counted.request(shared.ledger.meter(), &rules.name, result);
}

/// What became of a request that this layer answered.
pub(crate) fn result<B>(answer: &Response<Body<B>>) -> metric::Result {
    if answer.headers().contains_key(headers::REPLAYED) {
        return metric::Result::Replayed;
    }
    if let Some(Named(problem)) = answer.extensions().get() {
        return metric::Result::of(problem);
    }
    match answer.headers().get(headers::STATUS).map(http::HeaderValue::as_bytes) {
        Some(b"released") => metric::Result::Released,
        Some(b"unknown") => metric::Result::Unknown,
        // It ran. That it is not on record is an error of the ledger, and counted there.
        Some(_) => metric::Result::Executed,
        None => metric::Result::Passed,
    }
}

/// The span of a keyed request. Its fields are filled in as they become known.
pub(crate) fn span(rules: &Rules, path: &str) -> Span {
    let span = tracing::debug_span!(
        "keyed_request",
        route = %rules.name,
        idempotency.key_hash = Empty,
        idempotency.operation_ref = Empty,
        idempotency.result = Empty,
        idempotency.resource = Empty,
    );
    if let (Some(Resource::Path(name)), Some(pattern), false) =
        (&rules.resource, &rules.pattern, span.is_disabled())
        && let Some(resource) = pattern.parameter(name, path)
    {
        span.record("idempotency.resource", shortened(resource));
    }
    span
}

/// The key's hash, in the span.
pub(crate) fn key(shared: &Shared, id: RecordId) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("idempotency.key_hash", shared.scopes.log_hash(id));
    }
}

/// The operation's name, in the span.
pub(crate) fn operation(reference: OperationRef) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("idempotency.operation_ref", tracing::field::display(reference));
    }
}

/// What stands for a request, in the span; that its key stands for another request is told to people as well.
pub(crate) fn met(shared: &Shared, id: RecordId, standing: &Standing) {
    let reference = standing.record().operation_ref(id);
    operation(reference);
    if let Standing::Refused { refusal: Refusal::Mismatch, record } = standing {
        tracing::info!(
            idempotency.operation_ref = %reference,
            idempotency.key_hash = shared.scopes.log_hash(id),
            route = record.route,
            "a key came again with another request, which was not executed"
        );
    }
}

/// How a request ended, in its span, in a line and as a count.
pub(crate) fn answered<B>(
    shared: &Shared,
    rules: &Rules,
    answer: &Response<Body<B>>,
    result: metric::Result,
) {
    count(shared, rules, result);
    let span = Span::current();
    if !span.is_disabled() {
        span.record("idempotency.result", result.as_str());
        if let Some(resource) = resource(rules, answer) {
            span.record("idempotency.resource", resource);
        }
    }
    tracing::debug!(
        route = %rules.name,
        idempotency.result = result.as_str(),
        status = answer.status().as_u16(),
        "a keyed request was answered"
    );
}

/// What would have become of a request that passed, as a count and, where that is something else, in a line.
pub(crate) fn observed(shared: &Shared, rules: &Rules, result: metric::Result, id: Option<RecordId>) {
    rules.counted.observed(shared.ledger.meter(), &rules.name, result);
    if matches!(result, metric::Result::Passed | metric::Result::Executed | metric::Result::Released) {
        return;
    }
    tracing::info!(
        route = %rules.name,
        idempotency.key_hash = id.map(|id| shared.scopes.log_hash(id)),
        idempotency.result = result.as_str(),
        "observed only: the request passed; enforced, it would have had this result"
    );
}

/// The id that the route names, where the answer has it.
fn resource<B>(rules: &Rules, answer: &Response<Body<B>>) -> Option<String> {
    let text = match (rules.resource.as_ref()?, answer.body()) {
        (Resource::Header(name), _) => answer.headers().get(name)?.to_str().ok()?.to_owned(),
        (Resource::Body(pointer), Body::Whole { bytes: Some(bytes), .. }) => {
            match pointer.get(&json::parse(bytes)?)? {
                Value::String(text) => text.clone().into_owned(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(shortened(text))
}

fn shortened(mut text: String) -> String {
    let end = text.char_indices().map(|(at, _)| at).nth(RESOURCE_CHARACTERS);
    text.truncate(end.unwrap_or(text.len()));
    text
}
