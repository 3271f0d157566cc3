//! What the headers of repeats say.

use http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE};

use super::twice;
use crate::{
    profile::Marker,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn differ(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let repeat = trial.send("another repeat", &request).await?;
    let speaks = |name: &&HeaderName| !is_of_the_exchange(name.as_str()) && !is_about_keeping(name.as_str());
    Ok(
        match first.headers.keys().filter(speaks).find(|name| differs(name, &first.headers, &repeat.headers))
        {
            None => Verdict::pass("all that speak of the operation are the same"),
            Some(name) => Verdict::fail(shown(name, &first.headers), shown(name, &repeat.headers)),
        },
    )
}

pub(super) async fn volatile(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, _) = trial.recognised().await?;
    let one = trial.send("a repeat", &request).await?;
    let two = trial.send("another repeat", &request).await?;
    let stays = |name: &&HeaderName| !is_of_the_exchange(name.as_str()) && name.as_str() != "expires";
    let mut names = one.headers.keys().chain(two.headers.keys()).filter(stays);
    Ok(match names.find(|name| differs(name, &one.headers, &two.headers)) {
        None => Verdict::pass("two repeats have the same headers"),
        Some(name) => Verdict::fail(shown(name, &one.headers), shown(name, &two.headers)),
    })
}

pub(super) async fn cookie(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (first, repeat) = twice(trial).await?;
    let set: Vec<&HeaderValue> = first.headers.get_all(SET_COOKIE).iter().collect();
    if set.is_empty() {
        return Err(Stop::not_observable("the first answer sets no cookie"));
    }
    // A fresh cookie is a new session's, and nothing that was kept.
    Ok(match repeat.headers.get_all(SET_COOKIE).iter().any(|cookie| set.contains(&cookie)) {
        false => Verdict::pass("the first answer sets a cookie, and the repeat does not"),
        // Its value may be somebody's session.
        true => Verdict::fail("no Set-Cookie of the first answer", "the same Set-Cookie again"),
    })
}

pub(super) async fn marker_missing(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let Some(Marker { header, value, source }) = &trial.profile().marker else {
        return Ok(Verdict::pass("the profile asks for no marker"));
    };
    let (_, repeat) = twice(trial).await?;
    Ok(match repeat.header(header) {
        Some(seen) if seen == *value => Verdict::pass(format!("{header}: {value}")),
        seen => {
            let seen = seen.unwrap_or("(absent)");
            Verdict::fail(format!("{header}: {value} ({source})"), format!("{header}: {seen}"))
        }
    })
}

pub(super) async fn marker_on_first(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let marker = trial.profile().known_marker();
    let request = trial.operation()?;
    let first = trial.carried_out("a first request", &request).await?;
    Ok(match first.header(marker.header) {
        Some(seen) if seen == marker.value => {
            Verdict::fail("no marker on a first answer", format!("{}: {seen}", marker.header))
        }
        _ => Verdict::pass("no marker"),
    })
}

fn differs(name: &HeaderName, one: &HeaderMap, two: &HeaderMap) -> bool {
    !one.get_all(name).iter().eq(two.get_all(name).iter())
}

fn shown(name: &HeaderName, headers: &HeaderMap) -> String {
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    format!("{name}: {}", if lines.is_empty() { "(absent)".to_owned() } else { lines.join(", ") })
}

/// Whether it tells of this very exchange: its time, its connection, its trace, its caller's quota; or of a replay, or
/// is a credential. Two answers to one operation may differ in these.
fn is_of_the_exchange(name: &str) -> bool {
    const NAMES: [&str; 25] = [
        "age",
        "alt-svc",
        "connection",
        "content-security-policy",
        "content-length",
        "date",
        "keep-alive",
        "original-request",
        "proxy-authenticate",
        "retry-after",
        "server",
        "server-timing",
        "set-cookie",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "via",
        "www-authenticate",
        "x-cache",
        "x-cache-hits",
        "x-response-time",
        "x-runtime",
        "x-served-by",
        "x-timer",
        "x-vercel-id",
    ];
    const BEGIN: [&str; 6] = ["access-control-", "cf-", "fly-", "ratelimit", "x-amz", "x-ratelimit"];
    // Each names its marker in its own way: `X-Idempotency-Status`, `X-Idempotent-Replay`.
    const HAVE: [&str; 11] = [
        "request-id",
        "correlation-id",
        "trace",
        "latency",
        "service-time",
        "token",
        "secret",
        "session",
        "credential",
        "idempoten",
        "replay",
    ];
    NAMES.contains(&name)
        || BEGIN.iter().any(|begin| name.starts_with(begin))
        || HAVE.iter().any(|part| name.contains(part))
}

/// Whether it says by whom and how long an answer may be kept: a replay may say so otherwise.
fn is_about_keeping(name: &str) -> bool {
    const NAMES: [&str; 5] = ["cache-control", "expires", "pragma", "vary", "x-powered-by"];
    NAMES.contains(&name)
}
