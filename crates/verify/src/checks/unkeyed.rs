//! Requests without a key are left alone.

use crate::{
    call::Answer,
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const HTTP: &str = "RFC 9110, section 9.2.2: POST is not idempotent";
const DRAFT: &str =
    "draft-ietf-httpapi-idempotency-key-header-07, section 2.6: replays are of keys that have been seen";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "unkeyed/collapsed",
        level: Level::Must,
        requirement: "Two requests without a key have two effects; where a key is required both are refused and have none.",
        source: HTTP,
        needs: &[Need::Counter],
        controls: &[Defect::UnkeyedCollapsed],
        run: |trial| Box::pin(collapsed(trial)),
    },
    Check {
        id: "unkeyed/marked",
        level: Level::Should,
        requirement: "The answer to a request without a key is not marked as a repeat's.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::MarkerAlways],
        run: |trial| Box::pin(marked(trial)),
    },
];

async fn collapsed(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.unkeyed(&trial.plan().operations.create);
    let before = trial.count().await?;
    let first = trial.send("a request without a key", &request).await?;
    let second = trial.send("the same again", &request).await?;
    let expected = if first.is_success() { 2 } else { 0 };
    let effects = trial.effects_since(before, expected).await?;
    Ok(match (first.is_success(), second.is_success(), effects) {
        (true, true, 2) => Verdict::pass("two effects"),
        (false, false, 0) => Verdict::pass(format!("both refused with {}", first.status.as_u16())),
        (false, false, _) => Verdict::fail("no effect", format!("{first}, and {effects} effects")),
        (true, false, 1) => return Err(taken_once(&second)),
        (true, true, 1) => {
            same_under_two_keys(trial).await?;
            Verdict::fail("two effects", format!("1: {first}, then {second}"))
        }
        _ => Verdict::fail("two effects", format!("{effects}: {first}, then {second}")),
    })
}

/// What is taken once under two keys as well is known by something that is unique in it, such as an order's number. Then
/// it is not the lack of a key that makes two requests one.
async fn same_under_two_keys(trial: &mut Trial<'_>) -> Result<(), Stop> {
    let request = trial.operation()?;
    let other = trial.keyed_anew(&request)?;
    let before = trial.count().await?;
    trial.send("a request with a key", &request).await?;
    let answer = trial.send("the same body under another key", &other).await?;
    match trial.effects_since(before, 2).await? {
        2.. => Ok(()),
        _ => Err(taken_once(&answer)),
    }
}

fn taken_once(answer: &Answer) -> Stop {
    Stop::not_observable(format!(
        "the API takes the same body only once, keys or not: {answer}; a body in which nothing has to be unique would show \
         what it does without a key"
    ))
}

async fn marked(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let marker = trial.profile().known_marker();
    let request = trial.unkeyed(&trial.plan().operations.create);
    trial.send("a request without a key", &request).await?;
    let answer = trial.send("the same again", &request).await?;
    Ok(match answer.header(marker.header) {
        Some(seen) if seen == marker.value => {
            Verdict::fail("no marker", format!("{}: {seen}", marker.header))
        }
        _ => Verdict::pass("no marker"),
    })
}
