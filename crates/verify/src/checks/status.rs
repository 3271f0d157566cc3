//! What a repeat does after the application has answered with a failure.

use http::StatusCode;

use crate::{
    call::Answer,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    upstream::{Act, Script},
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "status/effect-repeated",
        level: Level::Must,
        requirement: "A status that does not say that nothing was done frees no key: 500, 502, 503 and 504 after an effect.",
        source: "RFC 9110, section 15.6; Stripe, API reference, Idempotent requests: a 500 is replayed as well",
        needs: &[Need::UpstreamView],
        controls: &[Defect::FailureFrees, Defect::NoDeduplication],
        run: |trial| after_effect(trial),
    },
    Check {
        id: "status/stuck-after-refusal",
        level: Level::Should,
        requirement: "After a refusal a repeat gets it again, or runs; the key is not in progress for ever.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        needs: &[Need::UpstreamView],
        controls: &[Defect::RefusalsStick],
        run: |trial| after_refusal(trial),
    },
    Check {
        id: "status/refusal-altered",
        level: Level::Should,
        requirement: "What the application refuses is told to the client as the application told it.",
        source: "RFC 9110, section 7.7: a proxy does not change what it forwards",
        needs: &[Need::UpstreamView],
        controls: &[Defect::RefusalsHidden],
        run: |trial| altered(trial),
    },
];

/// Failures after which nobody knows, or it was done.
const FAILURES: [u16; 4] = [500, 502, 503, 504];
/// Refusals without an effect; with the seconds of a `Retry-After`.
const REFUSALS: [(u16, Option<u16>); 7] =
    [(400, None), (402, None), (409, None), (422, None), (429, None), (429, Some(1)), (503, Some(1))];

fn after_effect<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let application = trial.application()?;
        let mut seen = Vec::new();
        for status in FAILURES {
            let request = trial.scripted(Script::first(Act::answered(code(status))))?;
            let what = format!("a first request; the application takes effect and answers {status}");
            let first = trial.attempt(&what, &request).await?;
            if application.effects_of(&request.token) == 0 {
                return Err(Stop::not_observable("the first request did not reach the application"));
            }
            let repeat = trial.attempt("its repeat", &request).await?;
            let effects = application.effects_of(&request.token);
            let told =
                repeat.as_ref().map_or_else(ToString::to_string, |answer| answer.status.as_u16().to_string());
            if effects > 1 {
                let first = first.map_or_else(|lost| lost.to_string(), |answer| answer.to_string());
                return Ok(Verdict::fail(
                    format!("no second effect after {status}"),
                    format!("{effects} effects; the first request got {first}, its repeat {told}"),
                ));
            }
            seen.push(format!("{status}: {told}"));
        }
        Ok(Verdict::pass(format!("no second effect; repeats got, after {}", seen.join(", after "))))
    })
}

fn after_refusal<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let application = trial.application()?;
        let mut seen = Vec::new();
        for (status, retry_after) in REFUSALS {
            let (request, first) = refused(trial, status, retry_after).await?;
            let repeat = trial.send("its repeat", &request).await?;
            let ran = application.arrivals_of(&request.token).len() > 1;
            let name = named(status, retry_after);
            if !ran && repeat.status != first.status {
                return Ok(Verdict::fail(
                    format!("{first} again, or another try, after {name}"),
                    repeat.to_string(),
                ));
            }
            seen.push(format!("{name} {}", if ran { "frees the key" } else { "is replayed" }));
        }
        Ok(Verdict::pass(seen.join(", ")))
    })
}

fn altered<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        for (status, retry_after) in REFUSALS {
            let (_, first) = refused(trial, status, retry_after).await?;
            let lacks = retry_after.is_some() && first.header("retry-after").is_none();
            if first.status.as_u16() != status || first.body != REFUSAL || lacks {
                return Ok(Verdict::fail(
                    format!("{} {}", named(status, retry_after), String::from_utf8_lossy(REFUSAL)),
                    first.to_string(),
                ));
            }
        }
        Ok(Verdict::pass("status, body and Retry-After are the application's"))
    })
}

const REFUSAL: &[u8] = br#"{"title":"The application refuses","reason":"its own"}"#;

/// A first request that the application refuses so, and its answer.
async fn refused(
    trial: &mut Trial<'_>,
    status: u16,
    retry_after: Option<u16>,
) -> Result<(crate::call::Request, Answer), Stop> {
    let mut act = Act::refused(code(status)).with_body(REFUSAL);
    if let Some(seconds) = retry_after {
        act = act.with_retry_after(seconds);
    }
    let request = trial.scripted(Script::first(act))?;
    let what = format!("a first request; the application answers {}", named(status, retry_after));
    let first = trial.send(&what, &request).await?;
    Ok((request, first))
}

fn named(status: u16, retry_after: Option<u16>) -> String {
    let retry_after = retry_after.map_or("", |_| " with Retry-After");
    format!("{status}{retry_after}")
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("the tables have statuses")
}
