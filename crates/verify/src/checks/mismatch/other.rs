//! Requests that differ in something else than their bodies.
//!
//! An API may count keys by method and path, and then another path is another operation: that deviates. What it must not
//! do is to say that something was done which was not.

use http::{HeaderValue, Method, header};

use crate::{
    call::{Answer, Request},
    plan::{Carrier, Plan},
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn path(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    // Behind a router nothing is known of other paths than those that there are.
    let there_is = another_path(trial);
    answered_as_the_first(trial, "on another path", &|mut request| {
        let (path, query) = split(&request.path);
        let made_up = || format!("{}/{}", path.trim_end_matches('/'), random::token());
        request.path = format!("{}{query}", there_is.clone().unwrap_or_else(made_up));
        request
    })
    .await
}

/// The path of another operation by the same method.
fn another_path(trial: &Trial<'_>) -> Option<String> {
    let Plan { key, operations, .. } = trial.plan();
    if let Carrier::Path(_) = key.carrier {
        // The path is the key.
        return None;
    }
    let create = trial.unkeyed(&operations.create);
    let others = [&operations.slow, &operations.large, &operations.fails];
    let others = others.into_iter().flatten().filter(|other| other.method == create.method);
    let mut paths = others.map(|other| split(&trial.unkeyed(other).path).0.to_owned());
    paths.find(|path| *path != split(&create.path).0)
}

pub(super) async fn method(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "by another method", &|mut request| {
        request.method = if request.method == Method::POST { Method::PATCH } else { Method::POST };
        request
    })
    .await
}

pub(super) async fn query(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "with another query", &|mut request| {
        let (_, query) = split(&request.path);
        let joint = if query.is_empty() { '?' } else { '&' };
        request.path = format!("{}{joint}verify={}", request.path, random::token());
        request
    })
    .await
}

pub(super) async fn content_type(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    answered_as_the_first(trial, "with another content type", &|request| {
        let other = if request.is_json() { "text/plain" } else { "application/json" };
        request.with_header(header::CONTENT_TYPE, HeaderValue::from_static(other))
    })
    .await
}

async fn answered_as_the_first(trial: &mut Trial<'_>, how: &str, other: Other<'_>) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let before = trial.count().await?;
    let answer = trial.send(&format!("the same key {how}"), &other(request.clone())).await?;
    let effects = trial.effects_since(before, 0).await?;
    let expected = format!("a known key {how} is refused ({})", trial.profile().mismatch.listed());
    Ok(match (answer.is_success(), effects) {
        (false, 0) => {
            refused_for_its_key(trial, how, other, &answer).await?;
            Verdict::pass(format!("refused with {}", answer.status.as_u16()))
        }
        (false, _) => Verdict::fail(expected, format!("it was refused, and yet has an effect: {answer}")),
        (true, 0) if first.is_same(&answer) => {
            it_arrives(trial, how, other).await?;
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

/// What is refused in the same way under a key of its own is not refused for its key: nothing at that path, or nobody who
/// takes such a request.
async fn refused_for_its_key(
    trial: &mut Trial<'_>,
    how: &str,
    other: Other<'_>,
    refused: &Answer,
) -> Result<(), Stop> {
    let alone = trial.operation().map(other)?;
    let answer = trial.send(&format!("a request {how}, under a key of its own"), &alone).await?;
    match answer.status == refused.status {
        true => Err(Stop::not_observable(format!(
            "a request {how} is refused whatever its key is: {answer}; another operation of the plan that is asked so would show \
             what its key does"
        ))),
        false => Ok(()),
    }
}

/// Makes another request of one.
type Other<'a> = &'a (dyn Fn(Request) -> Request + Sync);

/// A proxy that keeps to itself what differs sends the application the same request twice: then nobody is given the answer
/// to another one.
async fn it_arrives(trial: &mut Trial<'_>, how: &str, other: Other<'_>) -> Result<(), Stop> {
    let Ok(application) = trial.application() else { return Ok(()) };
    let mut arrived = Vec::new();
    for (what, changes) in [("as it is", None), (how, Some(other))] {
        let request = trial.operation()?;
        let sent = changes.map_or_else(|| request.clone(), |other| other(request.clone()));
        trial.send(&format!("what arrives at the application of a fresh request {what}"), &sent).await?;
        let arrival = application.arrivals_of(&request.token).into_iter().next();
        let place = |path: &str| path.replace(&request.token, "");
        arrived.push(arrival.map(|arrival| {
            let kind = arrival.header("content-type").map(str::to_owned);
            (arrival.method.clone(), place(&arrival.path), kind)
        }));
    }
    match arrived.as_slice() {
        [Some(one), Some(another)] if one == another => Err(Stop::not_observable(format!(
            "a request {how} arrives at the application as any other: what differs is not forwarded"
        ))),
        _ => Ok(()),
    }
}

/// Path, and query with its question mark.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}
