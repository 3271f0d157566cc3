//! What is killed, or stopped for a while.

mod pause;
mod round;

use crate::{
    call::{Outcome, told},
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
        requirement: "A crash between the effect and the answer does not bring a second effect when the request is repeated.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Kill],
        controls: &[Defect::ForgottenAtCrash, Defect::FreedAfterCrash, Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial)),
    },
    Check {
        id: "crash/wedged",
        level: Level::Should,
        requirement: "After a crash between the effect and the answer, a repeat is answered, and in time.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Kill],
        controls: &[Defect::HungAfterCrash],
        run: |trial| Box::pin(wedged(trial)),
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
    // bounded: by the rounds, each by the plan's patience and by the time that commands have.
    for number in 1..=ROUNDS {
        trial.shows_only_what_follows();
        let Round { between, effects, repeat, request, since } = round(trial).await?;
        if effects > 1 {
            trial.still_kept(since)?;
            return Ok(twice(effects, number, &repeat));
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
    Verdict::fail("1 effect after a request, a crash and the repeat", actual)
}

async fn wedged(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    // bounded: by the rounds.
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
        let tried = trial.waited().as_secs_f32();
        return Ok(match repeat {
            Ok(answer) if answer.is_success() => Verdict::pass(format!("answered: {answer}")),
            Ok(answer) if trial.is_told_to_wait(&answer) => Verdict::Deviates {
                expected: "the answer of the request that was interrupted".into(),
                actual: format!("refused for the {tried:.1} s that it was tried: {answer}"),
                like: "systems that leave an outcome which nobody knows to an operator, or whose locks outlive a crash"
                    .into(),
            },
            Ok(answer) => Verdict::fail("an answer, or a refusal for the time being", answer.to_string()),
            Err(lost) => Verdict::fail("an answer, or a refusal for the time being", lost.to_string()),
        });
    }
    Err(too_few(0, 1))
}

fn too_few(landed: u32, needed: u32) -> Stop {
    Stop::not_observable(format!(
        "{landed} of {ROUNDS} kills came between effect and answer, and it takes {needed}: add [operations.slow] \
         that works on after its effect, or a faster `kill`"
    ))
}
