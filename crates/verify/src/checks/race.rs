//! Requests at once with one key.

mod meanwhile;
mod replays;

use tokio::time::Instant;

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
        requirement: "Two requests at once with one key have one effect, and a repeat after their answers has none.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication, Defect::WaiterFrees, Defect::BothRefused],
        run: |trial| Box::pin(callers(trial, 2, 20)),
    },
    Check {
        id: "race/ten-run",
        level: Level::Must,
        requirement: "Ten requests at once with one key have one effect, and a repeat after their answers has none.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication, Defect::WaiterFrees, Defect::BothRefused],
        run: |trial| Box::pin(callers(trial, 10, 10)),
    },
    Check {
        id: "race/hundred-run",
        level: Level::Must,
        requirement: "A hundred requests at once with one key have one effect, and a repeat after their answers has none.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::CheckThenAct, Defect::NoDeduplication, Defect::WaiterFrees, Defect::BothRefused],
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
        requirement: "Once the first request is answered, a repeat gets that answer, whatever it was told while the first ran.",
        source: DRAFT,
        needs: &[],
        controls: &[Defect::StuckInProgress, Defect::WaiterFrees, Defect::BothRefused],
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

/// So many requests at once, so many times; each time under a fresh key, and once more when all are answered: what they
/// have left behind shows only then.
async fn callers(trial: &mut Trial<'_>, callers: usize, tries: u32) -> Result<Verdict, Stop> {
    let before = trial.count().await?;
    let mut kept = Ok(());
    // bounded: by the tries.
    for number in 1..=tries {
        trial.shows_only_what_follows();
        let since = Instant::now();
        let (request, mut answered, _) = race(trial, callers).await?;
        let repeat = trial.attempt("and once more, when they are answered", &request).await?;
        kept = kept.and(trial.still_kept(since));
        answered.extend(repeat);
        if !answered.iter().any(Answer::is_success) {
            // Refused or not: what was done was done.
            return match trial.effects_since(before, 0).await? {
                effects if effects > i64::from(number) => kept.map(|()| {
                    Verdict::fail(
                        format!("{number} effects after as many keys"),
                        format!("{effects} effects, and no success at the last"),
                    )
                }),
                _ => none_ran(trial, &request, &answered).await,
            };
        }
    }
    let each = format!("{tries} times {callers} requests at once, each time with one key, and a repeat");
    let once = trial.effects_or_stop(before, i64::from(tries), &each).await;
    if once.is_err() {
        kept?;
    }
    once?;
    Ok(Verdict::pass_in(tries, format!("one effect for {callers} requests at once and a repeat")))
}

async fn answers(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const TRIES: u32 = 10;
    const CALLERS: usize = 10;
    let mut deviates = None;
    // bounded: by the tries.
    for _ in 0..TRIES {
        trial.shows_only_what_follows();
        let since = Instant::now();
        let (request, answered, lost) = race(trial, CALLERS).await?;
        let Some(first) = answered.iter().find(|answer| answer.is_success()) else {
            return none_ran(trial, &request, &answered).await;
        };
        if let Some(lost) = lost.first() {
            return Ok(Verdict::fail("an answer for each of them", lost.to_string()));
        }
        let expected = format!("{first}, for each that is not told to wait");
        for answer in answered.iter().filter(|answer| !answer.is_same(first)) {
            if answer.is_success() {
                trial.still_kept(since)?;
                return Ok(Verdict::fail(expected, format!("another answer as well: {answer}")));
            }
            let expect = &trial.profile().in_progress;
            match expect.judge("a repeat while the first request ran", answer.status) {
                Verdict::Pass { .. } => {}
                // A fault may be among those that come after it.
                other @ Verdict::Deviates { .. } => deviates = deviates.or(Some(other)),
                other => return Ok(other),
            }
        }
    }
    let passed =
        || Verdict::pass_in(TRIES, format!("{CALLERS} at once were given one answer, or told to wait"));
    Ok(deviates.unwrap_or_else(passed))
}

async fn stuck(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = slow_or_any(trial)?;
    let since = Instant::now();
    let other = trial.begin("a first request", vec![request.clone()])?;
    // Whether it waits or is refused, and even if it overtakes the first: it is what comes later that counts.
    let one = trial.attempt("its repeat, while it runs", &request).await?;
    let mut outcomes = trial.finish(other).await;
    outcomes.push(one);
    let ran: Vec<Answer> = outcomes.iter().filter_map(success).cloned().collect();
    let Some(first) = ran.first() else {
        let answered: Vec<Answer> = outcomes.into_iter().flatten().collect();
        return none_ran(trial, &request, &answered).await;
    };
    let repeat = trial.until_settled("its repeat, after its answer", &request).await?;
    if ran.iter().any(|answer| answer.is_same(&repeat)) {
        return Ok(Verdict::pass_in(1, format!("the first request's answer: {}", repeat.status.as_u16())));
    }
    let (refused, waited) = (trial.is_told_to_wait(&repeat), trial.waited().as_secs_f32());
    let actual = match refused {
        true => format!("still refused {waited:.1} s after it: {repeat}"),
        false => repeat.to_string(),
    };
    trial.still_kept(since)?;
    // Where no repeat is recognised, it is not because the first still ran at one.
    trial.recognised().await?;
    Ok(Verdict::fail(first.to_string(), actual))
}

/// Requests at once with one key: one of them, the answers, and what came in the place of others.
async fn race(trial: &mut Trial<'_>, callers: usize) -> Result<(Request, Vec<Answer>, Vec<Lost>), Stop> {
    let request = trial.operation()?;
    let outcomes = trial.at_once("the same request at once", vec![request.clone(); callers]).await?;
    let (mut answered, mut lost) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answered.push(answer),
            Err(why) => lost.push(why),
        }
    }
    Ok((request, answered, lost))
}

/// None of them was carried out, as far as it is told. Where all were told to wait, each for another one, and whoever asks
/// later is told so as well, nobody can have it carried out any more.
async fn none_ran(trial: &mut Trial<'_>, request: &Request, answered: &[Answer]) -> Result<Verdict, Stop> {
    let Some(first) = answered.first() else { return Err(Stop::not_observable("none was answered")) };
    let none = || Stop::not_observable(format!("none was carried out: {first}"));
    if !answered.iter().all(|answer| trial.is_told_to_wait(answer)) {
        return Err(none());
    }
    let repeat = trial.until_settled("a repeat, when all of them are answered", request).await?;
    if !trial.is_told_to_wait(&repeat) {
        return Err(none());
    }
    // Somebody who is refused whatever he asks, such as by a limit, is not refused for a request that runs.
    let alone = trial.keyed_anew(request)?;
    trial.carried_out("the same alone, under a key of its own", &alone).await?;
    Ok(Verdict::fail(
        "one of them is carried out",
        format!("all were told to wait, and so is a repeat when nothing runs any more: {repeat}"),
    ))
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
