//! A repeat gets what the first request got.

mod headers;

use crate::{
    call::Answer,
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";
const COOKIES: &str = "RFC 6265, section 8.4 (session identifiers)";
const MARKER: &str = "the profile's marker; Stripe, Advanced error handling: Idempotent-Replayed";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replay/runs-again",
        level: Level::Must,
        requirement: "A repeat has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial)),
    },
    Check {
        id: "replay/status-differs",
        level: Level::Must,
        requirement: "A repeat is answered with the status of the first answer.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::ReplaysOk],
        run: |trial| Box::pin(status(trial)),
    },
    Check {
        id: "replay/body-differs",
        level: Level::Must,
        requirement: "A repeat is answered with the bytes of the first answer's body.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(body(trial)),
    },
    Check {
        id: "replay/later-differs",
        level: Level::Must,
        requirement: "However often a request is repeated, its answer stays the same.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::LaterDiffers],
        run: |trial| Box::pin(later(trial)),
    },
    Check {
        id: "replay/forgotten",
        level: Level::Must,
        requirement: "A request is known again after others have come in between.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::SmallMemory],
        run: |trial| Box::pin(forgotten(trial)),
    },
    Check {
        id: "replay/headers-differ",
        level: Level::Should,
        requirement: "A repeat has the headers of the first answer that speak of the operation.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::HeadersForgotten],
        run: |trial| Box::pin(headers::differ(trial)),
    },
    Check {
        id: "replay/volatile-header",
        level: Level::Should,
        requirement: "Repeats differ among each other in nothing but what tells the time or the exchange.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::VolatileHeader],
        run: |trial| Box::pin(headers::volatile(trial)),
    },
    Check {
        id: "replay/cookie-replayed",
        level: Level::Should,
        requirement: "A cookie that the first answer set is not set again by a repeat.",
        source: COOKIES,
        needs: &[],
        controls: &[Defect::CookieReplayed],
        run: |trial| Box::pin(headers::cookie(trial)),
    },
    Check {
        id: "replay/marker-missing",
        level: Level::Should,
        requirement: "A repeat is marked as one.",
        source: MARKER,
        needs: &[],
        controls: &[Defect::MarkerForgotten],
        run: |trial| Box::pin(headers::marker_missing(trial)),
    },
    Check {
        id: "replay/marker-on-first",
        level: Level::Should,
        requirement: "A first answer is not marked as a repeat.",
        source: MARKER,
        needs: &[],
        controls: &[Defect::MarkerAlways],
        run: |trial| Box::pin(headers::marker_on_first(trial)),
    },
];

/// How often a request is repeated until it is believed that its answer stays the same.
const REPEATS: usize = 10;
/// How many others come in between.
const OTHERS: i64 = 12;

async fn runs_again(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    twice(trial).await?;
    Ok(match trial.effects_since(before, 1).await? {
        1 => Verdict::pass("one effect after two requests"),
        0 => Stop::not_observable("the counter did not see the first request's effect").into_verdict(),
        effects => Verdict::fail("one effect after two requests with one key", format!("{effects} effects")),
    })
}

async fn status(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (first, repeat) = twice(trial).await?;
    Ok(match first.status == repeat.status {
        true => Verdict::pass(format!("{} both times", first.status.as_u16())),
        false => Verdict::fail(first.status.as_u16().to_string(), repeat.to_string()),
    })
}

async fn body(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (first, repeat) = twice(trial).await?;
    Ok(match first.body == repeat.body {
        true => Verdict::pass(format!("the same {} bytes", first.body.len())),
        false => Verdict::fail(first.to_string(), repeat.to_string()),
    })
}

async fn later(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let first = trial.carried_out("a first request", &request).await?;
    for number in 1..=REPEATS {
        let repeat = trial.until_settled(&format!("repeat {number}"), &request).await?;
        if !first.is_same(&repeat) {
            return Ok(Verdict::fail(first.to_string(), format!("repeat {number}: {repeat}")));
        }
    }
    Ok(Verdict::pass(format!("{REPEATS} repeats, all the same")))
}

async fn forgotten(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    let first = trial.carried_out("a first request", &request).await?;
    for number in 1..=OTHERS {
        let other = trial.operation()?;
        trial.carried_out(&format!("another operation, number {number}"), &other).await?;
    }
    let repeat = trial.until_settled("a repeat of the first request", &request).await?;
    let effects = trial.effects_since(before, 1 + OTHERS).await?;
    Ok(match effects <= 1 + OTHERS && first.is_same(&repeat) {
        true => Verdict::pass(format!("known again after {OTHERS} others")),
        false => Verdict::fail(
            format!("{first}, and {} effects of {} operations", 1 + OTHERS, 1 + OTHERS),
            format!("{repeat}, and {effects} effects"),
        ),
    })
}

/// A new operation, and its repeat.
async fn twice(trial: &mut Trial<'_>) -> Result<(Answer, Answer), Stop> {
    let request = trial.operation()?;
    let first = trial.carried_out("a first request", &request).await?;
    // What is stored only after the answer has gone out may say for a moment that it runs.
    let repeat = trial.until_settled("its repeat", &request).await?;
    Ok((first, repeat))
}
