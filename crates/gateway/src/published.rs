//! `GET /.well-known/idempotency`: what callers may rely on, for the routes that say so.
//!
//! Written once at start-up from the rules that requests are judged by. Nothing of a route without `publish` is in it.

use std::ops::RangeInclusive;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use onlyonce_core::{
    outcome::{self, Answer, Outcome},
    problem,
};
use onlyonce_http::{
    Body, Rules,
    problem::{OPERATIONS_PATH, Refused},
};
use serde_json::{Value, json};

use crate::{
    config::{Config, PrincipalFrom, Route, Span, Word},
    routes::Routes,
    upstream::AnswerBody,
};

/// Where it stands.
pub(crate) const PATH: &str = "/.well-known/idempotency";
/// For so long anybody may remember it.
const CACHED: &str = "public, max-age=60";
/// The statuses of final answers.
const STATUSES: RangeInclusive<u16> = 200..=599;

/// The document, or that there is none.
pub(crate) struct Published(Option<Bytes>);

impl Published {
    pub(crate) fn new(config: &Config, routes: &Routes) -> Self {
        let listed: Vec<_> = (config.route.iter().enumerate())
            .filter(|(_, route)| route.settings.publish)
            .map(|(number, route)| of_route(route, routes.rules(Some(number))))
            .collect();
        if listed.is_empty() {
            return Self(None);
        }
        let document = json!({
            "principal": principal(config),
            "operations": format!("{OPERATIONS_PATH}{{operation_ref}}"),
            "problems": config.problem_base.as_str(),
            "routes": listed,
        });
        Self(Some(document.to_string().into()))
    }

    pub(crate) fn answer(&self, method: &Method, problem_base: &str) -> Response<Body<AnswerBody>> {
        match &self.0 {
            None => {
                let why = "Nothing is published here. What a key means is told by its answers.";
                Refused::new(problem::NOT_FOUND, why).into_response(problem_base)
            }
            Some(_) if !matches!(*method, Method::GET | Method::HEAD) => {
                let mut answer =
                    Response::new(Body::whole("This can be asked for with GET and HEAD only.\n"));
                *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                let headers = answer.headers_mut();
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                // Its body is not read.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                answer
            }
            Some(document) => {
                let mut answer = Response::new(Body::whole(document.clone()));
                let headers = answer.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHED));
                answer
            }
        }
    }
}

fn principal(config: &Config) -> Value {
    let principal = &config.principal;
    match principal.from {
        PrincipalFrom::Credential => json!({
            "from": "credential",
            "by": principal.credential,
            "note": "A key belongs to the credential that it came with. A refreshed token is another caller, and its \
                     repeat runs again: repeat with the token of the first request, or not at all.",
        }),
        PrincipalFrom::Header => json!({
            "from": "header",
            "note": "A key belongs to the caller that a trusted proxy names.",
        }),
        PrincipalFrom::Anonymous => json!({
            "from": "anonymous",
            "note": "A key belongs to everybody: choose one that nobody can guess.",
        }),
    }
}

fn of_route(route: &Route, rules: &Rules) -> Value {
    let settings = &route.settings;
    let span = |span: Span| json!({ "seconds": span.0.as_secs(), "text": span.to_string() });
    let methods: Vec<_> =
        rules.methods.iter().filter(|method| rules.covers(method)).map(Method::as_str).collect();
    json!({
        "match": route.pattern,
        "methods": methods,
        "key": settings.key.word(),
        "carriers": settings.carriers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "syntax": settings.syntax.word(),
        "retention": { "result": span(settings.retain_result), "key": span(settings.retain_key) },
        "late": settings.late.word(),
        "on_unknown": settings.on_unknown.word(),
        "mismatch": rules.mismatch.as_u16(),
        "outcomes": {
            "kept": statuses(rules, Outcome::Kept),
            "released": statuses(rules, Outcome::Released),
            "unknown": statuses(rules, Outcome::Unknown),
        },
    })
}

/// The statuses that mean this: `200-306`, `404`, `503 with Retry-After`.
fn statuses(rules: &Rules, wanted: Outcome) -> Vec<String> {
    let means = |status, retry_after| {
        outcome::of_answer(Answer { status, retry_after, rerun: false, inner: None }, &rules.outcomes)
    };
    let mut found: Vec<String> = Vec::new();
    let mut begun = None;
    for status in STATUSES {
        if means(status, false) == wanted {
            begun.get_or_insert(status);
        } else if let Some(from) = begun.take() {
            found.push(range(from, status - 1));
        }
    }
    found.extend(begun.map(|from| range(from, *STATUSES.end())));
    let others = STATUSES.filter(|status| means(*status, true) == wanted && means(*status, false) != wanted);
    found.extend(others.map(|status| format!("{status} with Retry-After")));
    found
}

fn range(from: u16, to: u16) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}
