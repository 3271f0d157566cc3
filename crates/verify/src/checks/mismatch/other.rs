//! Requests that differ in something else than their bodies.
//!
//! An API may count keys by method and path, and then another path is another operation: that deviates. What it must not
//! do is to say that something was done which was not.

use http::{HeaderValue, Method, header};

use crate::{
    call::Request,
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn path(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "on another path", |mut request| {
        let (path, query) = split(&request.path);
        request.path = format!("{}/{}{query}", path.trim_end_matches('/'), random::token());
        request
    })
    .await
}

pub(super) async fn method(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "by another method", |mut request| {
        request.method = if request.method == Method::POST { Method::PATCH } else { Method::POST };
        request
    })
    .await
}

pub(super) async fn query(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "with another query", |mut request| {
        let (_, query) = split(&request.path);
        let joint = if query.is_empty() { '?' } else { '&' };
        request.path = format!("{}{joint}verify={}", request.path, random::token());
        request
    })
    .await
}

pub(super) async fn content_type(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "with another content type", |request| {
        let other = if request.is_json() { "text/plain" } else { "application/json" };
        request.with_header(header::CONTENT_TYPE, HeaderValue::from_static(other))
    })
    .await
}

async fn answered_as_the_first(
    trial: &mut Trial<'_>,
    how: &str,
    other: impl FnOnce(Request) -> Request,
) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let before = trial.count().await?;
    let answer = trial.send(&format!("the same key {how}"), &other(request)).await?;
    let effects = trial.effects_since(before, 0).await?;
    let expected = format!("a known key {how} is refused ({})", trial.profile().mismatch.listed());
    Ok(match (answer.is_success(), effects) {
        (false, 0) => Verdict::pass(format!("refused with {}", answer.status.as_u16())),
        (false, _) => Verdict::fail(expected, format!("it was refused, and yet has an effect: {answer}")),
        (true, 0) if first.is_same(&answer) => {
            Verdict::fail(expected, format!("the first request's answer: {answer}"))
        }
        (true, 0) => Verdict::pass(format!("an answer of its own, and no effect: {answer}")),
        (true, _) => Verdict::Deviates {
            expected,
            actual: format!("it was carried out as another operation: {answer}"),
            like: "services that count keys by method, path and query".into(),
        },
    })
}

/// Path, and query with its question mark.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}
