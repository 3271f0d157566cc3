//! What comes while a request runs.

use std::time::Duration;

use tokio::time::Instant;

use super::{slow_or_any, success};
use crate::{
    call::Outcome,
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// From one repeat to the next, at first; each time half as much again.
const APART: Duration = Duration::from_millis(50);
/// So long is a head start that a request be the first.
const HEAD_START: Duration = Duration::from_millis(10);

pub(super) async fn another_body(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let afterwards = told_afterwards(trial).await?;
    let request = slow_or_any(trial)?;
    let other = trial.changed(&request)?;
    let first = trial.begin("a first request", vec![request])?;
    trial.wait(HEAD_START).await;
    let meanwhile = trial.attempt("another body under its key, while it runs", &other).await?;
    if first.is_over() {
        return Err(Stop::not_observable(
            "the first request was over before the other came: add [operations.slow] to the plan",
        ));
    }
    let ran = trial.finish(first).await;
    let Ok(meanwhile) = meanwhile else {
        return Ok(Verdict::fail("a refusal", "no answer while the first request ran"));
    };
    if meanwhile.is_success() && ran.iter().any(|outcome| success(outcome).is_some()) {
        return Ok(Verdict::fail(afterwards.to_string(), format!("success for both: {meanwhile}")));
    }
    // An API that says 409 to both cannot be told apart, and need not be.
    Ok(match meanwhile.status == afterwards.status {
        true => Verdict::pass(format!("{} while it runs as afterwards", afterwards.status.as_u16())),
        false => Verdict::fail(
            format!("{} while it runs as afterwards", afterwards.status.as_u16()),
            format!("while it runs: {meanwhile}"),
        ),
    })
}

/// What another body under a key is told when nothing runs.
async fn told_afterwards(trial: &mut Trial<'_>) -> Result<crate::call::Answer, Stop> {
    let request = trial.operation()?;
    trial.carried_out("a request", &request).await?;
    let other = trial.changed(&request)?;
    let refused = trial.send("another body under its key, after it", &other).await?;
    match refused.is_success() {
        true => Err(Stop::not_observable("another body is not refused: see mismatch/body-ignored")),
        false => Ok(refused),
    }
}

pub(super) async fn another_key(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const TRIES: u32 = 5;
    let before = trial.count().await?;
    // bounded: by the tries.
    for _ in 0..TRIES {
        trial.shows_only_what_follows();
        let (one, other) = (trial.operation()?, trial.operation()?);
        let outcomes = trial.at_once("two requests at once, with two keys", vec![one, other]).await?;
        if let Some(outcome) = outcomes.iter().find(|outcome| success(outcome).is_none()) {
            return Ok(Verdict::fail("both are carried out", format!("one is not: {}", told(outcome))));
        }
    }
    let expected = i64::from(2 * TRIES);
    trial.effects_or_stop(before, expected, &format!("{expected} requests with keys of their own")).await?;
    Ok(Verdict::pass_in(TRIES, "both were carried out"))
}

pub(super) async fn repeats_while_it_runs(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const TRIES: u32 = 3;
    // bounded: by the tries.
    for _ in 0..TRIES {
        trial.shows_only_what_follows();
        if let Some(verdict) = repeats_unless_overtaken(trial).await? {
            return Ok(verdict);
        }
    }
    Err(Stop::not_observable("each time a repeat overtook the request that was to be the first"))
}

/// `None`: a repeat has overtaken the first request and ran in its place; who is overtaken is rightly told to wait.
async fn repeats_unless_overtaken(trial: &mut Trial<'_>) -> Result<Option<Verdict>, Stop> {
    let request = slow_or_any(trial)?;
    let before = trial.count().await?;
    let first = trial.begin("a first request, which takes long", vec![request.clone()])?;
    let (started, mut apart) = (Instant::now(), APART);
    let mut repeats = Vec::new();
    // bounded: by the first request's patience; the time between them grows.
    while !first.is_over() {
        trial.wait(apart).await;
        apart += apart / 2;
        // Some are made to wait for the first: nobody waits for them here.
        repeats.push(trial.begin("a repeat while it runs", vec![request.clone()])?);
    }
    let ran = started.elapsed();
    let count = repeats.len();
    let first = trial.finish(first).await.pop();
    let mut repeat_ran = false;
    for repeat in repeats {
        repeat_ran |= trial.finish(repeat).await.iter().any(|outcome| success(outcome).is_some());
    }
    let waits = matches!(&first, Some(Ok(answer)) if trial.is_told_to_wait(answer));
    let after = format!("a request that took {:.1} s and {count} repeats meanwhile", ran.as_secs_f32());
    trial.one_effect_since(before, &after).await?;
    Ok(match first.as_ref().and_then(success) {
        _ if waits && repeat_ran => None,
        Some(_) => Some(Verdict::pass_in(1, format!("one effect after {after}"))),
        None => {
            let actual = first.as_ref().map_or("none".into(), told);
            Some(Verdict::fail("an answer for the first request", actual))
        }
    })
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => answer.to_string(),
        Err(lost) => lost.to_string(),
    }
}
