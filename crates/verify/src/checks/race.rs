//! Requests at once with one key.

mod meanwhile;
mod replays;

use crate::{
    call::{Answer, Lost, Outcome, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "race/two-run",
        level: Level::Must,
        requirement: "Two requests at once with one key have one effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication],
        run: |trial| Box::pin(callers(trial, 2, 20)),
    },
    Check {
        id: "race/ten-run",
        level: Level::Must,
        requirement: "Ten requests at once with one key have one effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication],
        run: |trial| Box::pin(callers(trial, 10, 10)),
    },
    Check {
        id: "race/hundred-run",
        level: Level::Must,
        requirement: "A hundred requests at once with one key have one effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication],
        run: |trial| Box::pin(callers(trial, 100, 3)),
    },
    Check {
        id: "race/answer-differs",
        level: Level::Must,
        requirement: "Of requests at once with one key, each gets the one answer or is told that the first still runs.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication, Defect::ReplaysOk],
        run: |trial| Box::pin(answers(trial)),
    },
    Check {
        id: "race/stuck-in-progress",
        level: Level::Must,
        requirement: "Once the first request is answered, a repeat that was refused while it ran is answered too.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::StuckInProgress],
        run: |trial| Box::pin(stuck(trial)),
    },
    Check {
        id: "race/in-progress-before-mismatch",
        level: Level::Should,
        requirement: "Another body under the key of a request that runs is told that it is another request, not to wait.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        needs: &[],
        controls: &[Defect::InProgressFirst],
        run: |trial| Box::pin(meanwhile::another_body(trial)),
    },
    Check {
        id: "race/keys-wait-for-each-other",
        level: Level::Must,
        requirement: "Requests at once with different keys are both carried out.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.2",
        needs: &[Need::Counter],
        controls: &[Defect::OneAtATime],
        run: |trial| Box::pin(meanwhile::another_key(trial)),
    },
    Check {
        id: "race/lock-too-short",
        level: Level::Must,
        requirement: "A repeat has no second effect however long the first request takes.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Slow],
        controls: &[Defect::ShortLock, Defect::NoDeduplication],
        run: |trial| Box::pin(meanwhile::repeats_while_it_runs(trial)),
    },
    Check {
        id: "race/replays-refuse-each-other",
        level: Level::Should,
        requirement: "Repeats at once of a request that was answered are all answered.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::ReplaysTakeTurns],
        run: |trial| Box::pin(replays::at_once(trial)),
    },
];

/// So many requests at once, so many times; each time under a fresh key.
async fn callers(trial: &mut Trial<'_>, callers: usize, tries: u32) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    // bounded: by the tries.
    for number in 1..=tries {
        trial.shows_only_what_follows();
        let (answered, _) = race(trial, callers).await?;
        if !answered.iter().any(|answer| answer.is_success()) {
            // Refused or not: what was done was done.
            return match trial.effects_since(before, 0).await? {
                effects if effects > i64::from(number) => Ok(Verdict::fail(
                    format!("{number} effects after as many keys"),
                    format!("{effects} effects, and no success at the last"),
                )),
                _ => Err(no_success(&answered)),
            };
        }
    }
    let each = format!("{tries} times {callers} requests at once, each time with one key");
    trial.effects_or_stop(before, i64::from(tries), &each).await?;
    Ok(Verdict::pass_in(tries, format!("one effect for {callers} requests at once")))
}

async fn answers(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const TRIES: u32 = 10;
    const CALLERS: usize = 10;
    // bounded: by the tries.
    for _ in 0..TRIES {
        trial.shows_only_what_follows();
        let (answered, lost) = race(trial, CALLERS).await?;
        let Some(first) = answered.iter().find(|answer| answer.is_success()) else {
            return Err(no_success(&answered));
        };
        if let Some(lost) = lost.first() {
            return Ok(Verdict::fail("an answer for each of them", lost.to_string()));
        }
        let expected = format!("{first}, for each that is not told to wait");
        for answer in answered.iter().filter(|answer| !answer.is_same(first)) {
            if answer.is_success() {
                return Ok(Verdict::fail(expected, format!("another answer as well: {answer}")));
            }
            let expect = &trial.profile().in_progress;
            match expect.judge("a repeat while the first request ran", answer.status) {
                Verdict::Pass { .. } => {}
                other => return Ok(other),
            }
        }
    }
    Ok(Verdict::pass_in(TRIES, format!("{CALLERS} at once were given one answer, or told to wait")))
}

async fn stuck(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = slow_or_any(trial)?;
    let other = trial.begin("a first request", vec![request.clone()])?;
    // Whether it waits or is refused, and even if it overtakes the first: it is what comes later that counts.
    let one = trial.attempt("its repeat, while it runs", &request).await?;
    let mut outcomes = trial.finish(other).await;
    outcomes.push(one);
    if !outcomes.iter().any(|outcome| success(outcome).is_some()) {
        let answered: Vec<Answer> = outcomes.into_iter().flatten().collect();
        return Err(no_success(&answered));
    }
    let repeat = trial.until_settled("its repeat, after its answer", &request).await?;
    Ok(match trial.is_told_to_wait(&repeat) {
        true => Verdict::fail(
            "the first request's answer",
            format!("still refused {} s after it: {repeat}", trial.plan().bounds.patience.as_secs_f32()),
        ),
        false => Verdict::pass(format!("answered with {}", repeat.status.as_u16())),
    })
}

/// Requests at once with one key: the answers, and what came in the place of others.
async fn race(trial: &mut Trial<'_>, callers: usize) -> Result<(Vec<Answer>, Vec<Lost>), Stop> {
    let request = trial.operation()?;
    let outcomes = trial.at_once("the same request at once", vec![request; callers]).await?;
    let (mut answered, mut lost) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answered.push(answer),
            Err(why) => lost.push(why),
        }
    }
    Ok((answered, lost))
}

/// None of them was carried out, as far as it is told.
fn no_success(answered: &[Answer]) -> Stop {
    match answered.first() {
        Some(answer) => Stop::not_observable(format!("none was carried out: {answer}")),
        None => Stop::not_observable("none was answered"),
    }
}

/// The operation that takes long where there is one: what comes meanwhile comes meanwhile.
fn slow_or_any(trial: &Trial<'_>) -> Result<Request, Stop> {
    let operations = &trial.plan().operations;
    let operation = operations.slow.as_ref().unwrap_or(&operations.create);
    trial.keyed_anew(&trial.unkeyed(operation))
}

/// An answer that is a success.
fn success(outcome: &Outcome) -> Option<&Answer> {
    outcome.as_ref().ok().filter(|answer| answer.is_success())
}
