//! Requests that end badly.

use crate::{
    call::{Answer, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    plan::Operation,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "failure/runs-again",
        level: Level::Must,
        requirement: "An error of the server after the effect does not free the key: a repeat has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Fails],
        controls: &[Defect::FailureFrees, Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial)),
    },
    Check {
        id: "failure/repeat-succeeds",
        level: Level::Must,
        requirement: "After an error of the server, a repeat that says success has not done the same once more.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Fails],
        controls: &[Defect::ReplaysOk],
        run: |trial| Box::pin(repeat_succeeds(trial)),
    },
    Check {
        id: "failure/stuck-in-progress",
        level: Level::Must,
        requirement: "After an error of the server a repeat is answered: it is not told to wait for what has ended.",
        source: DRAFT,
        needs: &[Need::Fails],
        controls: &[Defect::FailuresStick],
        run: |trial| Box::pin(stuck_after_failure(trial)),
    },
    Check {
        id: "failure/stuck-after-refusal",
        level: Level::Should,
        requirement: "After a refusal a repeat is answered: it is not told to wait for what has ended.",
        source: DRAFT,
        needs: &[Need::Refused],
        controls: &[Defect::RefusalsStick],
        run: |trial| Box::pin(stuck_after_refusal(trial)),
    },
    Check {
        id: "failure/refused-runs",
        level: Level::Must,
        requirement: "A refused request has no effect, and its repeat is refused too.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Refused],
        controls: &[Defect::ReplaysOk],
        run: |trial| Box::pin(refused_runs(trial)),
    },
    Check {
        id: "failure/corrected-request-misjudged",
        level: Level::Must,
        requirement: "A corrected request under the key of a refused one is refused as another request, or carried out once.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        needs: &[Need::Counter, Need::Refused],
        controls: &[Defect::BodyIgnored],
        run: |trial| Box::pin(corrected(trial)),
    },
];

async fn runs_again(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    let (request, first) = failed(trial).await?;
    had_its_effect(trial, before).await?;
    let repeat = trial.until_settled("its repeat", &request).await?;
    trial.one_effect_since(before, "a request that failed after its effect, and its repeat").await?;
    Ok(Verdict::pass(match repeat.is_same(&first) {
        true => format!("one effect; the error is replayed: {}", repeat.status.as_u16()),
        false => format!("one effect; the repeat is answered with {repeat}"),
    }))
}

async fn repeat_succeeds(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    let (request, first) = failed(trial).await?;
    had_its_effect(trial, before).await?;
    let repeat = trial.until_settled("its repeat", &request).await?;
    let effects = trial.effects_since(before, 1).await?;
    Ok(match (repeat.is_success(), effects) {
        // Done and said to be done: somebody has looked up what became of it.
        (true, 1) if repeat.body != first.body => Verdict::pass(format!("what was done: {repeat}")),
        (true, 1) => {
            Verdict::fail(first.to_string(), format!("the words of a failure as a success: {repeat}"))
        }
        (true, _) => Verdict::fail("no second effect", format!("{effects} effects: {repeat}")),
        (false, _) => Verdict::pass(format!("not a success: {}", repeat.status.as_u16())),
    })
}

async fn stuck_after_failure(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, first) = failed(trial).await?;
    ends(trial, &request, &first).await
}

async fn stuck_after_refusal(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, first) = refused(trial).await?;
    ends(trial, &request, &first).await
}

/// A repeat of what was answered is not told to wait, or not for long: the same status again is that answer.
async fn ends(trial: &mut Trial<'_>, request: &Request, first: &Answer) -> Result<Verdict, Stop> {
    let repeat = trial.until_settled("its repeat", request).await?;
    Ok(match trial.is_told_to_wait(&repeat) && repeat.status != first.status {
        true => Verdict::fail(
            format!("an answer: the first request was answered with {first}"),
            format!("it is told to wait as long as it asks: {repeat}"),
        ),
        false => Verdict::pass(format!("answered with {}", repeat.status.as_u16())),
    })
}

async fn refused_runs(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    let (request, first) = refused(trial).await?;
    let repeat = trial.until_settled("its repeat", &request).await?;
    let effects = trial.effects_since(before, 0).await?;
    let expected = format!("{} again, and no effect", first.status.as_u16());
    Ok(match (repeat.is_success(), effects) {
        (_, 1..) => Verdict::fail(expected, format!("{effects} effects: {repeat}")),
        (true, _) => Verdict::fail(expected, format!("success, though it did nothing: {repeat}")),
        (false, _) => Verdict::pass(match repeat.is_same(&first) {
            true => format!("{} both times, and no effect", first.status.as_u16()),
            false => format!("refused both times, and no effect; the repeat: {repeat}"),
        }),
    })
}

async fn corrected(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    let (request, first) = refused(trial).await?;
    let corrected = trial.changed(&request)?;
    let answer = trial.until_settled("a corrected body under the same key", &corrected).await?;
    let effects = trial.effects_since(before, i64::from(answer.is_success())).await?;
    let one = match (answer.is_success(), effects) {
        (true, 2..) => one_corrected(trial).await?,
        _ => 1,
    };
    let expect = &trial.profile().mismatch;
    let expected = format!("{} as another request, or carried out once", expect.listed());
    Ok(match (answer.is_success(), effects) {
        (true, _) if effects == one => {
            Verdict::pass(format!("a refused request leaves its key free: {}", answer.status.as_u16()))
        }
        (true, _) => Verdict::fail(expected, format!("success with {effects} effects: {answer}")),
        (false, 1..) => Verdict::fail(expected, format!("{effects} effects, and yet {answer}")),
        // It may be right for the new body too: then it cannot be told whose refusal it is.
        (false, _)
            if answer.is_same(&first) && trial.plan().operations.refused.as_ref().is_some_and(no_other) =>
        {
            return Err(Stop::not_observable(
                "whether the corrected request is valid is not known: add `changed` to [operations.refused]",
            ));
        }
        (false, _) if answer.is_same(&first) => {
            Verdict::fail(expected, format!("the refusal of the first request: {answer}"))
        }
        (false, _) => expect.judge("a corrected body under a known key", answer.status),
    })
}

/// By how much one corrected request alone moves what counts: where that is an amount, another one than the operation's.
async fn one_corrected(trial: &mut Trial<'_>) -> Result<i64, Stop> {
    let Some(operation) = trial.plan().operations.refused.as_ref() else { return Ok(1) };
    let alone = trial.keyed_anew(&trial.changed(&trial.unkeyed(operation))?)?;
    let before = trial.count().await?;
    trial.carried_out("a corrected request under a key of its own", &alone).await?;
    trial.effects_since(before, 1).await
}

/// Whether the plan gives no other body.
fn no_other(operation: &Operation) -> bool {
    operation.changed.is_none()
}

/// A request that has its effect and fails.
async fn failed(trial: &mut Trial<'_>) -> Result<(Request, Answer), Stop> {
    let operation = trial.plan().operations.fails.as_ref();
    let operation = operation.ok_or_else(|| Stop::not_observable("no operation fails after its effect"))?;
    let request = trial.keyed_anew(&trial.unkeyed(operation))?;
    let answer = trial.send("a request that fails after its effect", &request).await?;
    match answer.status.is_server_error() {
        true => Ok((request, answer)),
        false => Err(Stop::not_observable(format!("[operations.fails] did not fail with a 5xx: {answer}"))),
    }
}

async fn had_its_effect(trial: &mut Trial<'_>, before: crate::trial::Count) -> Result<(), Stop> {
    match trial.effects_since(before, 1).await? {
        0 => Err(Stop::not_observable("[operations.fails] had no effect before it failed")),
        _ => Ok(()),
    }
}

/// A request that is refused.
async fn refused(trial: &mut Trial<'_>) -> Result<(Request, Answer), Stop> {
    let operation = trial.plan().operations.refused.as_ref();
    let operation = operation.ok_or_else(|| Stop::not_observable("no operation is refused"))?;
    let request = trial.keyed_anew(&trial.unkeyed(operation))?;
    let answer = trial.send("a request that is refused", &request).await?;
    match answer.status.is_client_error() {
        true => Ok((request, answer)),
        false => {
            Err(Stop::not_observable(format!("[operations.refused] was not refused with a 4xx: {answer}")))
        }
    }
}
