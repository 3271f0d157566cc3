//! Answers that are lost on their way, and requests that are late or doubled.

use std::time::Duration;

use crate::{
    call::{Answer, Fault, Lost, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::{Count, Trial},
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, sections 1 and 2.6";
const RFC: &str =
    "RFC 9110, section 9.2.2 (idempotent methods): what a client cannot repeat without a means to know";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "lost/dropped-answer-runs-again",
        level: Level::Must,
        requirement: "An answer that got lost does not come with a second effect when it is asked for again.",
        source: RFC,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial, Fault::AnswerDropped)),
    },
    Check {
        id: "lost/cut-answer-runs-again",
        level: Level::Must,
        requirement: "An answer that broke off does not come with a second effect when it is asked for again.",
        source: RFC,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial, Fault::AnswerCut)),
    },
    Check {
        id: "lost/answer-differs",
        level: Level::Must,
        requirement: "Who never saw the first answer gets it from a repeat: the same status and bytes.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::ReplaysOk, Defect::NoDeduplication],
        run: |trial| Box::pin(answer_differs(trial)),
    },
    Check {
        id: "lost/late-answer-runs-again",
        level: Level::Must,
        requirement: "A repeat that is sent while the answer is on its way has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(late_answer(trial)),
    },
    Check {
        id: "lost/late-request-runs-again",
        level: Level::Must,
        requirement: "A request that arrives after its repeat was answered has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(late_request(trial)),
    },
    Check {
        id: "lost/doubled-request-runs-twice",
        level: Level::Must,
        requirement: "A request that is doubled on its way has one effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication],
        run: |trial| Box::pin(doubled(trial)),
    },
];

/// How late something is that is late: longer than it takes to be carried out.
const LATE: Duration = Duration::from_millis(300);

async fn runs_again(trial: &mut Trial<'_>, fault: Fault) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    lose(trial, &request, fault).await?;
    let repeat = trial.until_settled("the same request again", &request).await?;
    trial.one_effect_and_answer(before, "a request whose answer was lost, and its repeat", &repeat).await?;
    Ok(Verdict::pass(format!("one effect, and an answer: {}", repeat.status.as_u16())))
}

async fn answer_differs(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let withheld = lose(trial, &request, Fault::AnswerDropped).await?;
    let repeat = trial.until_settled("the same request again", &request).await?;
    Ok(match repeat.is_same(&withheld) {
        true => Verdict::pass(format!("{} and the same {} bytes", repeat.status.as_u16(), repeat.body.len())),
        false => Verdict::fail(withheld.to_string(), repeat.to_string()),
    })
}

async fn late_answer(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    let late = request.clone().meeting(Fault::AnswerLate(LATE));
    let first = trial.begin("a first request, whose answer is late", vec![late])?;
    one_effect_is_seen(trial, before).await?;
    // What it is told is for other checks.
    drop(trial.attempt("its repeat, while the answer is on its way", &request).await?);
    trial.finish(first).await;
    trial.one_effect_since(before, "a request whose answer was late, and its repeat").await?;
    Ok(Verdict::pass_in(1, "one effect"))
}

async fn late_request(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    let late = request.clone().meeting(Fault::RequestLate(LATE));
    let first = trial.begin("a first request, which is late on its way", vec![late])?;
    trial.carried_out("its repeat, which arrives before it", &request).await?;
    let overtaken = !first.is_over();
    trial.finish(first).await;
    trial.one_effect_since(before, "a request that came after its own repeat").await?;
    match overtaken {
        true => Ok(Verdict::pass_in(1, "one effect")),
        false => Err(Stop::not_observable("the repeat took too long to overtake the first request")),
    }
}

async fn doubled(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const TRIES: u32 = 10;
    let before = trial.count().await?;
    // bounded: by the tries.
    for _ in 0..TRIES {
        trial.shows_only_what_follows();
        let request = trial.operation()?.meeting(Fault::Duplicated);
        trial.send("a request that is doubled on its way", &request).await?;
    }
    let after = format!("{TRIES} requests, each doubled on its way");
    trial.effects_or_stop(before, i64::from(TRIES), &after).await?;
    Ok(Verdict::pass_in(TRIES, "one effect for each"))
}

/// Sends a request whose answer gets lost, and gives that answer.
async fn lose(trial: &mut Trial<'_>, request: &Request, fault: Fault) -> Result<Answer, Stop> {
    let what = "a first request, whose answer gets lost after it was given";
    match trial.attempt(what, &request.clone().meeting(fault)).await? {
        Err(Lost::Withheld(answer)) if answer.is_success() => Ok(*answer),
        Err(Lost::Withheld(answer)) => Err(not_carried_out(&answer)),
        Ok(answer) => Err(not_carried_out(&answer)),
        Err(lost) => Err(Stop::Lost { step: what.into(), lost }),
    }
}

fn not_carried_out(answer: &Answer) -> Stop {
    Stop::not_observable(format!("the first request was not carried out: {answer}"))
}

/// Waits until the first effect since `before` is counted.
async fn one_effect_is_seen(trial: &mut Trial<'_>, before: Count) -> Result<(), Stop> {
    match trial.effects_meanwhile(before, 1).await? {
        0 => Err(Stop::not_observable("the counter did not see the first request's effect")),
        _ => Ok(()),
    }
}
