//! Two keys are two operations, whatever they ask.
//!
//! An API may know an operation by something else as well, such as an order's number: then it takes the same body once,
//! and that tells nothing of keys. So what is not carried out under another key is tried without one, and with another
//! body that has the same fresh values.

use crate::{
    call::{Answer, Outcome, Request},
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
    let both = vec![request.clone(), other];
    let outcomes = trial.at_once("the same body under two keys", both.clone()).await?;
    let mut answers = Vec::new();
    for (sent, outcome) in both.iter().zip(outcomes) {
        let answer =
            outcome.map_err(|lost| Stop::Lost { step: "the same body under two keys".into(), lost })?;
        // Who is told to wait is not refused, and may wait for something else than a key. Now nothing runs.
        answers.push(match trial.is_told_to_wait(&answer) {
            true => trial.send("the one that was told to wait, again", sent).await?,
            false => answer,
        });
    }
    if answers.iter().all(|answer| !answer.is_success()) {
        return Err(Stop::not_observable("neither of the two was carried out"));
    }
    let effects = trial.effects_since(before, 2).await?;
    judged(trial, &request, &answers, effects).await
}

async fn judged(
    trial: &mut Trial<'_>,
    request: &Request,
    answers: &[Answer],
    effects: i64,
) -> Result<Verdict, Stop> {
    let refusal = answers.iter().find(|answer| !answer.is_success());
    let told = match refusal {
        Some(refusal) => format!("{effects}; one was refused: {refusal}"),
        None => format!("{effects}, and success for both"),
    };
    match (effects, refusal) {
        (2, None) => return Ok(Verdict::pass("two effects")),
        (0, None) => return Err(Stop::not_observable("the counter saw no effect")),
        (0 | 1, _) => {}
        _ => return Ok(Verdict::fail("two effects, and success for both", told)),
    }
    if let Some(refusal) = refusal.filter(|refusal| matches!(refusal.status.as_u16(), 429 | 503)) {
        return Err(Stop::not_observable(format!(
            "one of the two was refused for the time being: {refusal}"
        )));
    }
    let bare = trial.without_key(request);
    let (without, again) = tried(trial, "the same body without a key", &bare).await?;
    match without {
        Ok(answer) if answer.is_success() && again > 0 => Ok(Verdict::fail("two effects", told)),
        Ok(answer) if refusal.is_some_and(|refusal| refusal.status == answer.status) => {
            Err(taken_once(&told))
        }
        // It may be refused because a key is demanded: that tells nothing of the body.
        Ok(_) | Err(_) => by_content(trial, request, refusal, told).await,
    }
}

/// By what such a body is known, if not by its key: by something that is fresh in it, or by all of it.
async fn by_content(
    trial: &mut Trial<'_>,
    request: &Request,
    refusal: Option<&Answer>,
    told: String,
) -> Result<Verdict, Stop> {
    if !trial.plan().operations.create.has_fresh_values() {
        return Ok(Verdict::fail("two effects", told));
    }
    let Some(other) = trial.changed_beside_what_is_fresh(request) else { return Err(taken_once(&told)) };
    let other = trial.keyed_anew(&other)?;
    let what = "another body with the same fresh values, under a key of its own";
    let (answer, effects) = tried(trial, what, &other).await?;
    match (answer, refusal) {
        (Ok(answer), None) if answer.is_success() && effects > 0 => Ok(Verdict::fail("two effects", told)),
        (Ok(answer), Some(_)) if answer.is_success() && effects > 0 => Ok(Verdict::Deviates {
            expected: "two effects".into(),
            actual: told,
            like: "APIs that refuse what equals a recent request, whatever its key, and say so: a window against duplicates"
                .into(),
        }),
        (_, _) => Err(taken_once(&told)),
    }
}

/// Sends it, and counts its effects.
async fn tried(trial: &mut Trial<'_>, what: &str, request: &Request) -> Result<(Outcome, i64), Stop> {
    let before = trial.count().await?;
    let outcome = trial.attempt(what, request).await?;
    // Whether it has one is what is asked: it has the time that the plan gives to effects.
    let expected = i64::from(outcome.as_ref().is_ok_and(Answer::is_success));
    let effects = trial.effects_since(before, expected).await?;
    Ok((outcome, effects))
}

fn taken_once(told: &str) -> Stop {
    Stop::not_observable(format!(
        "the API takes the same body only once, keys or not: {told}; a body in which nothing has to be unique would show \
         what its keys do"
    ))
}
