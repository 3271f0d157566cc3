//! What is killed, or stopped for a while.

mod finished;
mod pause;
mod round;

use crate::{
    call::{Answer, Outcome, told},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};
use round::{Round, round};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, sections 1 and 2.6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "crash/runs-again",
        level: Level::Must,
        requirement: "A crash between the effect and the answer leaves one effect when the request is repeated: not two, and not none.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Kill],
        controls: &[
            Defect::ForgottenAtCrash,
            Defect::FreedAfterCrash,
            Defect::EffectLostInCrash,
            Defect::NoDeduplication,
        ],
        run: |trial| Box::pin(runs_again(trial)),
    },
    Check {
        id: "crash/wedged",
        level: Level::Should,
        requirement: "After a crash between the effect and the answer, a repeat is answered, and in time.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Kill],
        controls: &[Defect::HungAfterCrash, Defect::LockedAfterCrash],
        run: |trial| Box::pin(wedged(trial)),
    },
    Check {
        id: "crash/finished-lost",
        level: Level::Must,
        requirement: "A request that was answered before a crash is known after it: its repeat gets the same answer, and has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Kill],
        controls: &[Defect::KeptInMemory],
        run: |trial| Box::pin(finished::lost(trial)),
    },
    Check {
        id: "crash/paused-runs-again",
        level: Level::Must,
        requirement: "What is stopped for longer than its lease, and goes on, does not have a second effect.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Pause],
        controls: &[Defect::ShortLock, Defect::NoDeduplication],
        run: |trial| Box::pin(pause::runs_again(trial)),
    },
];

/// How often it is killed.
const ROUNDS: u32 = 8;
/// How many of the kills have to come between effect and answer.
const LANDED_MIN: u32 = 3;

async fn runs_again(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (mut landed, mut refused, mut waiting) = (0, None, Vec::new());
    let older = trial.operation()?;
    trial.carried_out("a request before any kill: its effect is to outlive all of them", &older).await?;
    // bounded: by the rounds, each by the plan's patience and by the time that commands have.
    for number in 1..=ROUNDS {
        trial.shows_only_what_follows();
        let Round { between, effects, repeat, request, since } = round(trial).await?;
        if effects > 1 {
            trial.still_kept(since)?;
            return Ok(twice(effects, number, &repeat));
        }
        // What was counted is gone, all that was counted before it is not, and it is said to be done.
        if effects == 0 && between && repeat.as_ref().is_ok_and(Answer::is_success) {
            return Ok(Verdict::fail(
                ONE_EFFECT,
                format!(
                    "none, at kill {number}: it was counted before, and the repeat says success: {}",
                    told(&repeat)
                ),
            ));
        }
        // Without this, an API that forgets everything would seem to have done nothing twice.
        if effects < i64::from(between) {
            return Err(Stop::not_observable(format!(
                "what counts effects did not outlive kill {number}: after the repeat it stands at {effects} from before the \
                 request; count something that is stored"
            )));
        }
        landed += u32::from(between);
        if effects == 1 && trial.is_to_wait(&repeat) {
            waiting.push((number, since, trial.set_aside(&request)));
        } else {
            refused = refused.or(repeat.ok().filter(|answer| !answer.is_success()));
        }
    }
    for (number, since, aside) in waiting {
        let before = trial.count().await?;
        let repeat = trial.take_up(aside).await?;
        let more = trial.effects_since(before, 0).await?;
        if more > 0 {
            trial.still_kept(since)?;
            return Ok(twice(1 + more, number, &repeat));
        }
        refused = refused.or(repeat.ok().filter(|answer| !answer.is_success()));
    }
    if landed < LANDED_MIN {
        return Err(too_few(landed, LANDED_MIN));
    }
    let repeats = match refused {
        Some(answer) => format!("some repeats are refused: {answer}"),
        None => "each repeat was answered".to_owned(),
    };
    let seen = format!("one effect; {landed} of {ROUNDS} kills came between effect and answer; {repeats}");
    Ok(Verdict::pass_in(landed, seen))
}

fn twice(effects: i64, number: u32, repeat: &Outcome) -> Verdict {
    let actual = format!("{effects} effects, at kill {number}; the repeat: {}", told(repeat));
    Verdict::fail(ONE_EFFECT, actual)
}

const ONE_EFFECT: &str = "1 effect after a request, a crash and the repeat";

async fn wedged(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let mut landed = 0;
    // bounded: by the rounds, each by the plan's patience and by the time that commands have.
    for _ in 0..ROUNDS {
        trial.shows_only_what_follows();
        let Round { between, mut repeat, request, .. } = round(trial).await?;
        if !between {
            continue;
        }
        if trial.is_to_wait(&repeat) {
            let aside = trial.set_aside(&request);
            repeat = trial.take_up(aside).await?;
        }
        let last = match repeat {
            Ok(answer) if answer.is_success() => answer,
            Ok(answer) if trial.is_told_to_wait(&answer) => return locked(trial, &answer).await,
            Ok(answer) => return Ok(Verdict::fail(ANSWERED, answer.to_string())),
            Err(lost) => return Ok(Verdict::fail(ANSWERED, lost.to_string())),
        };
        landed += 1;
        if landed == LANDED_MIN {
            return Ok(Verdict::pass_in(landed, format!("answered after each of {landed} kills: {last}")));
        }
    }
    Err(too_few(landed, LANDED_MIN))
}

const ANSWERED: &str = "an answer, or a refusal for the time being";

/// It was told to wait for as long as it was tried. What is said while a request runs is no answer when none does; other
/// words may say that nobody knows, and whom to ask.
async fn locked(trial: &mut Trial<'_>, answer: &Answer) -> Result<Verdict, Stop> {
    let tried = trial.waited();
    let seconds = tried.as_secs_f32();
    let actual = format!("refused for the {seconds:.1} s that it was tried: {answer}");
    let while_it_runs = told_while_it_runs(trial).await?;
    if !while_it_runs.is_some_and(|words| words.says_the_same(answer)) {
        return Ok(Verdict::Deviates {
            expected: "the answer of the request that was interrupted".into(),
            actual,
            like: "systems that leave an outcome which nobody knows to an operator, and say so".into(),
        });
    }
    match trial.plan().key.lease {
        Some(lease) if tried >= lease => Ok(Verdict::fail(
            format!("an answer, or that nobody knows, once its lock of {:.1} s is over", lease.as_secs_f32()),
            format!("{actual}, as while a request runs"),
        )),
        Some(_) => Err(Stop::not_observable(format!(
            "{actual}; its lock may last longer: bounds.patience of the plan ends the trial before three leases are over"
        ))),
        None => Err(Stop::not_observable(format!(
            "{actual}; how long a lock may last is not known: write it to lease under [key] of the plan"
        ))),
    }
}

/// What a repeat is told while its request runs; `None`: not to wait.
async fn told_while_it_runs(trial: &mut Trial<'_>) -> Result<Option<Answer>, Stop> {
    let steps = trial.step();
    let operations = &trial.plan().operations;
    let request = trial.keyed_anew(&trial.unkeyed(operations.slow.as_ref().unwrap_or(&operations.create)))?;
    let first = trial.begin("another request", vec![request.clone()])?;
    let repeat = trial.attempt("its repeat, while it runs", &request).await?;
    let mut outcomes = trial.finish(first).await;
    outcomes.push(repeat);
    trial.shows_up_to(steps);
    Ok(outcomes.into_iter().flatten().find(|answer| trial.is_told_to_wait(answer)))
}

fn too_few(landed: u32, needed: u32) -> Stop {
    Stop::not_observable(format!(
        "{landed} of {ROUNDS} kills came between effect and answer, and it takes {needed}: add [operations.slow] \
         that works on after its effect, or a faster `kill`"
    ))
}
