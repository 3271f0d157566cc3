//! A key stands for one request, and for no other.

mod other;

use crate::{
    call::Request,
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.7";
const DRAFT_OTHER: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.2";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "mismatch/body-ignored",
        level: Level::Must,
        requirement: "A known key with another body is refused; it neither runs nor gets the first request's answer.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::BodyIgnored, Defect::NoDeduplication, Defect::FingerprintInKey],
        run: |trial| Box::pin(body_ignored(trial)),
    },
    Check {
        id: "mismatch/status",
        level: Level::Should,
        requirement: "A known key with another body is refused with the status that the profile names.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::MismatchForbidden],
        run: |trial| Box::pin(status(trial)),
    },
    Check {
        id: "mismatch/original-lost",
        level: Level::Must,
        requirement: "After another body under its key, the first request still gets its answer.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::MismatchKept],
        run: |trial| Box::pin(original_lost(trial)),
    },
    Check {
        id: "mismatch/path-ignored",
        level: Level::Must,
        requirement: "The answer of one path is not given to a request for another.",
        source: DRAFT_OTHER,
        needs: &[Need::Counter],
        controls: &[Defect::KeyAlone],
        run: |trial| Box::pin(other::path(trial)),
    },
    Check {
        id: "mismatch/method-ignored",
        level: Level::Must,
        requirement: "The answer to one method is not given to a request by another.",
        source: DRAFT_OTHER,
        needs: &[Need::Counter],
        controls: &[Defect::KeyAlone],
        run: |trial| Box::pin(other::method(trial)),
    },
    Check {
        id: "mismatch/query-ignored",
        level: Level::Should,
        requirement: "A request with another query does not get the first request's answer.",
        source: DRAFT_OTHER,
        needs: &[Need::Counter],
        controls: &[Defect::QueryIgnored, Defect::KeyAlone],
        run: |trial| Box::pin(other::query(trial)),
    },
    Check {
        id: "mismatch/content-type-ignored",
        level: Level::Should,
        requirement: "The same bytes as another content type do not get the first request's answer.",
        source: DRAFT_OTHER,
        needs: &[Need::Counter],
        controls: &[Defect::ContentTypeIgnored],
        run: |trial| Box::pin(other::content_type(trial)),
    },
];

async fn body_ignored(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    trial.carried_out("a first request", &request).await?;
    let other = trial.changed(&request)?;
    let answer = trial.send("the same key with another body", &other).await?;
    let expected = trial.profile().mismatch.listed();
    Ok(match (trial.effects_since(before, 1).await?, answer.is_success()) {
        (2.., _) => {
            Verdict::fail(format!("{expected} and no second effect"), format!("a second effect: {answer}"))
        }
        (_, true) => Verdict::fail(expected, format!("success, though it did nothing: {answer}")),
        (_, false) => {
            is_taken(trial, &other).await?;
            Verdict::pass(format!("refused with {}", answer.status.as_u16()))
        }
    })
}

/// The other body may be refused for what it says, also where the plan has it; then a refusal tells nothing of keys.
async fn is_taken(trial: &mut Trial<'_>, other: &Request) -> Result<(), Stop> {
    let fresh = trial.keyed_anew(other)?;
    let answer = trial.send("the other body under a key of its own", &fresh).await?;
    match answer.is_success() {
        true => Ok(()),
        false => Err(Stop::not_observable(format!(
            "the other body is refused anyway ({answer}): give the operation a `changed` that is carried out"
        ))),
    }
}

async fn status(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    trial.carried_out("a first request", &request).await?;
    let other = trial.changed(&request)?;
    let answer = trial.send("the same key with another body", &other).await?;
    match answer.is_success() {
        true => Err(Stop::not_observable("it is not refused: see mismatch/body-ignored")),
        false => {
            is_taken(trial, &other).await?;
            Ok(trial.profile().mismatch.judge("a known key with another body", answer.status))
        }
    }
}

async fn original_lost(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let other = trial.changed(&request)?;
    trial.send("the same key with another body", &other).await?;
    let before = trial.count().await?;
    let repeat = trial.until_settled("a repeat of the first request", &request).await?;
    let effects = trial.effects_since(before, 0).await?;
    Ok(match effects == 0 && first.is_same(&repeat) {
        true => Verdict::pass("the first request's answer, and no effect"),
        false => Verdict::fail(format!("{first}, and no effect"), format!("{repeat}, and {effects} effects")),
    })
}
