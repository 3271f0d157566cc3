//! What refusals of all kinds have to keep to.

use http::header;

use crate::{
    call::{Answer, Outcome, Who},
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// What is asked without a credential.
pub(super) const NO_CREDENTIAL: &str = "no credential";

/// A refusal, and of what.
pub(super) type Refusal = (&'static str, Answer);

/// As many kinds of refusals as can be had for the asking.
pub(super) async fn all(trial: &mut Trial<'_>) -> Result<Vec<Refusal>, Stop> {
    let request = trial.operation()?;
    trial.carried_out("a first request", &request).await?;
    let mut asked = vec![("a known key with another body", trial.changed(&request)?)];
    if let Ok(empty) = trial.keyed(request.clone(), "") {
        asked.push(("an empty key", empty));
    }
    if trial.plan().key.required == Some(true) {
        asked.push(("no key", trial.without_key(&request)));
    }
    if !trial.plan().credentials.first.is_empty() {
        asked.push((NO_CREDENTIAL, trial.of(&request, Who::Nobody)));
    }
    let mut refusals = Vec::new();
    for (what, request) in asked {
        let answer = trial.send(what, &request).await?;
        if !answer.is_success() {
            refusals.push((what, answer));
        }
    }
    match refusals.is_empty() {
        true => Err(Stop::not_observable("nothing is refused")),
        false => Ok(refusals),
    }
}

pub(super) async fn cacheable(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let refusals = all(trial).await?;
    let kept =
        |(_, answer): &&Refusal| may_be_kept(answer.header(header::CACHE_CONTROL.as_str()).unwrap_or(""));
    Ok(match refusals.iter().find(kept) {
        None => Verdict::pass(format!("none of {} refusals", refusals.len())),
        Some((what, answer)) => Verdict::fail(
            "cache-control: no-store, or nothing that lets a cache keep it",
            format!("{what}: cache-control: {}", answer.header("cache-control").unwrap_or_default()),
        ),
    })
}

/// Whether a `Cache-Control` asks caches to keep an answer.
fn may_be_kept(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let directives: Vec<(&str, &str)> = line
        .split(',')
        .map(|directive| directive.trim().split_once('=').unwrap_or((directive.trim(), "")))
        .collect();
    let has = |name: &str| directives.iter().any(|(directive, _)| *directive == name);
    let lasts = |(name, value): &(&str, &str)| {
        matches!(*name, "max-age" | "s-maxage")
            && value.trim_matches('"').parse().is_ok_and(|age: u64| age > 0)
    };
    !has("no-store") && !has("no-cache") && (has("public") || directives.iter().any(lasts))
}

pub(super) async fn retry_after(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let operations = &trial.plan().operations;
    let operation = operations.slow.as_ref().unwrap_or(&operations.create);
    let request = trial.keyed_anew(&trial.unkeyed(operation))?;
    let outcomes = trial.at_once("one request twice at once", vec![request.clone(), request]).await?;
    let refused = outcomes.into_iter().filter_map(Outcome::ok).find(|answer| !answer.is_success());
    let Some(refused) = refused else {
        let mut why = "no repeat is refused while the first request runs: it waits, or the first is too fast"
            .to_owned();
        if operations.slow.is_none() && trial.plan().upstream.is_none() {
            why.push_str("; an [operations.slow] in the plan may show it");
        }
        return Err(Stop::not_observable(why));
    };
    Ok(match refused.header(header::RETRY_AFTER.as_str()) {
        Some(when) if is_a_time(when) => Verdict::pass(format!("retry-after: {when}")),
        Some(when) => Verdict::fail("seconds or a date", format!("retry-after: {when}")),
        None => unsaid(trial, &refused),
    })
}

/// RFC 9110 demands it with no status, and the draft says nothing of it: a client has a pace of its own.
fn unsaid(trial: &Trial<'_>, refused: &Answer) -> Verdict {
    match trial.profile().retry_after {
        Some(source) => Verdict::Deviates {
            expected: format!("retry-after: with seconds or a date ({source})"),
            actual: format!("none: {refused}"),
            like: "APIs that leave it to their clients how soon they come again, as Stripe does (exponential backoff)"
                .into(),
        },
        None => Verdict::pass("the profile does not ask for it"),
    }
}

/// Seconds, or what looks like a date (RFC 9110, section 5.6.7).
fn is_a_time(text: &str) -> bool {
    text.parse::<u64>().is_ok() || text.ends_with("GMT")
}

pub(super) async fn credential_echoed(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let secrets = secrets(trial);
    if secrets.is_empty() {
        return Err(Stop::not_observable(format!(
            "the plan has no credential of at least {SHORTEST} characters, and a shorter one might be found by chance"
        )));
    }
    let mut answers = all(trial).await?;
    let request = trial.operation()?;
    trial.carried_out("the first caller's request", &request).await?;
    for (who, what) in [(Who::Second, "the second caller"), (Who::Stranger, "a wrong credential")] {
        if trial.plan().credentials.of(who).is_some() {
            let other = trial.of(&request, who);
            answers.push((what, trial.send(&format!("the same request and key by {what}"), &other).await?));
        }
    }
    Ok(match answers.iter().find(|(_, answer)| secrets.iter().any(|secret| has(answer, secret))) {
        None => Verdict::pass(format!("in none of {} answers", answers.len())),
        // The report is read by others: it says where, and not what.
        Some((what, answer)) => Verdict::fail(
            "no credential in any refusal",
            format!(
                "{what}: an answer with {} contains the first caller's credential",
                answer.status.as_u16()
            ),
        ),
    })
}

/// Shortest credential that is looked for.
const SHORTEST: usize = 8;

/// What is secret in the first caller's headers: what comes after a scheme or a name.
fn secrets(trial: &Trial<'_>) -> Vec<String> {
    let secret = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.rsplit([' ', '=']).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    };
    let all = trial.plan().credentials.first.values().map(secret);
    all.filter(|secret| secret.len() >= SHORTEST).collect()
}

fn has(answer: &Answer, secret: &str) -> bool {
    let within = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    within(&answer.body) || answer.headers.values().any(|value| within(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_asks_to_be_kept_may_be_kept() {
        for kept in ["max-age=60", "public", "must-revalidate, s-maxage=\"5\""] {
            assert!(may_be_kept(kept), "{kept}");
        }
        for not in ["", "no-store", "public, no-store", "max-age=0", "private", "No-Cache, max-age=60"] {
            assert!(!may_be_kept(not), "{not}");
        }
    }
}
