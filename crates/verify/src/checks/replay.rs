//! A repeat gets what the first request got.

use http::{HeaderMap, header};

use crate::{
    call::Answer,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replay/runs-again",
        level: Level::Must,
        requirement: "A repeat has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| runs_again(trial),
    },
    Check {
        id: "replay/status-differs",
        level: Level::Must,
        requirement: "A repeat is answered with the status of the first answer.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::ReplaysOk],
        run: |trial| status(trial),
    },
    Check {
        id: "replay/body-differs",
        level: Level::Must,
        requirement: "A repeat is answered with the bytes of the first answer's body.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::NoDeduplication],
        run: |trial| body(trial),
    },
    Check {
        id: "replay/headers-differ",
        level: Level::Should,
        requirement: "A repeat has the headers of the first answer that speak of the operation.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::HeadersForgotten],
        run: |trial| headers(trial),
    },
];

fn runs_again<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let before = trial.count().await?;
        twice(trial).await?;
        Ok(match trial.effects_since(before, 1).await? {
            1 => Verdict::pass("one effect after two requests"),
            0 => Stop::not_observable("the counter did not see the first request's effect").into_verdict(),
            effects => {
                Verdict::fail("one effect after two requests with one key", format!("{effects} effects"))
            }
        })
    })
}

fn status<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let (first, repeat) = twice(trial).await?;
        Ok(match first.status == repeat.status {
            true => Verdict::pass(format!("{} both times", first.status.as_u16())),
            false => Verdict::fail(first.status.as_u16().to_string(), repeat.to_string()),
        })
    })
}

fn body<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let (first, repeat) = twice(trial).await?;
        Ok(match first.body == repeat.body {
            true => Verdict::pass(format!("the same {} bytes", first.body.len())),
            false => Verdict::fail(first.to_string(), repeat.to_string()),
        })
    })
}

/// Those in which answers to one operation have to agree: neither the connection's, nor the clock's, nor those that
/// tell a repeat from the first.
const OF_THE_OPERATION: [header::HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::ETAG,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
];

fn headers<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let (first, repeat) = twice(trial).await?;
        let of = |headers: &HeaderMap, name: &header::HeaderName| -> Vec<_> {
            headers.get_all(name).iter().cloned().collect()
        };
        let differing =
            OF_THE_OPERATION.iter().find(|name| of(&first.headers, name) != of(&repeat.headers, name));
        Ok(match differing {
            None => Verdict::pass("content type, location and validators are the same"),
            Some(name) => Verdict::fail(
                format!("{name}: {}", first.header(name.as_str()).unwrap_or("(absent)")),
                format!("{name}: {}", repeat.header(name.as_str()).unwrap_or("(absent)")),
            ),
        })
    })
}

/// A new operation, and its repeat.
async fn twice(trial: &mut Trial<'_>) -> Result<(Answer, Answer), Stop> {
    let request = trial.operation()?;
    let first = trial.carried_out("a first request", &request).await?;
    let repeat = trial.send("its repeat", &request).await?;
    Ok((first, repeat))
}
