//! Two keys are two operations, whatever they ask.

use crate::{
    call::{Answer, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6: a key that has not been seen is processed normally";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "apart/collapsed",
        level: Level::Must,
        requirement: "The same body under two keys has two effects.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::BodyAlone],
        run: |trial| Box::pin(collapsed(trial)),
    },
    Check {
        id: "apart/blocked-at-once",
        level: Level::Must,
        requirement: "The same body under two keys at once has two effects.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::BodyAlone],
        run: |trial| Box::pin(at_once(trial)),
    },
];

async fn collapsed(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let other = trial.keyed_anew(&request)?;
    let before = trial.count().await?;
    trial.carried_out("a first request", &request).await?;
    let answer = trial.send("the same body under another key", &other).await?;
    let effects = trial.effects_since(before, 2).await?;
    judged(trial, &request, &[answer], effects).await
}

async fn at_once(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let other = trial.keyed_anew(&request)?;
    let before = trial.count().await?;
    let outcomes = trial.at_once("the same body under two keys", vec![request.clone(), other]).await?;
    let answers: Vec<Answer> = outcomes.into_iter().flatten().collect();
    let effects = trial.effects_since(before, 2).await?;
    judged(trial, &request, &answers, effects).await
}

/// Two effects are wanted; a refusal is none of the keys' if the API refuses the same body without a key as well.
async fn judged(
    trial: &mut Trial<'_>,
    request: &Request,
    answers: &[Answer],
    effects: i64,
) -> Result<Verdict, Stop> {
    if let Some(refusal) = answers.iter().find(|answer| !answer.is_success()) {
        let unkeyed = trial.without_key(request);
        let without = trial.send("the same body without a key", &unkeyed).await?;
        // Without a key it may be refused for that alone; then a value that is to be new each time, such as an order's
        // number, may be why the second was refused.
        let hidden = !without.is_success() && trial.plan().operations.create.has_fresh_values();
        return match without.status == refusal.status || hidden {
            true => Err(Stop::not_observable(format!(
                "the API takes the same body only once, keys or not: {refusal}"
            ))),
            false => Ok(Verdict::fail("two effects", format!("{effects}; one was refused: {refusal}"))),
        };
    }
    Ok(match effects {
        2 => Verdict::pass("two effects"),
        _ => Verdict::fail("two effects", format!("{effects}, and success for both")),
    })
}
