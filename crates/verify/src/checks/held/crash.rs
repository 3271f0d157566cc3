//! What is killed while the application holds a request that has had its effect.
//!
//! The kill always comes between effect and answer: the application waits for it.

use tokio::time::Instant;

use crate::{
    call::{Outcome, Request, told},
    trial::Trial,
    upstream::Stage,
    verdict::{Stop, Verdict},
};

/// How often it is killed.
const ROUNDS: u32 = 3;

pub(super) async fn forgotten(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (application, before) = (trial.application()?, trial.count().await?);
    let (mut waiting, mut last) = (Vec::new(), String::new());
    // bounded: by the rounds, each by the plan's patience and by the time that commands have.
    for _ in 0..ROUNDS {
        trial.shows_only_what_follows();
        let since = Instant::now();
        let request = killed(trial).await?;
        let repeat = trial.attempt("the same request again, after the crash", &request).await?;
        one_effect(trial, since, application.effects_of(&request.token), &repeat)?;
        match trial.is_to_wait(&repeat) {
            true => waiting.push((request.token.clone(), since, trial.set_aside(&request))),
            false => last = told(&repeat),
        }
    }
    for (token, since, aside) in waiting {
        let repeat = trial.take_up(aside).await?;
        one_effect(trial, since, application.effects_of(&token), &repeat)?;
        last = told(&repeat);
    }
    // Nobody has to ask for it: what starts again may send by itself what it had begun.
    let effects = trial.effects_since(before, ROUNDS.into()).await?;
    Ok(match effects > ROUNDS.into() {
        true => Verdict::fail(format!("{ROUNDS} effects of {ROUNDS} requests"), format!("{effects} effects")),
        false => Verdict::pass_in(ROUNDS, format!("one effect each; a repeat: {last}")),
    })
}

/// Begins a request, kills what it goes through while the application holds it after its effect, starts that again, and
/// only then lets the application answer.
async fn killed(trial: &mut Trial<'_>) -> Result<Request, Stop> {
    let held = trial.hold(Stage::AfterEffect).await?;
    let request = held.request.clone();
    held.proof()?;
    trial.crash(&trial.plan().commands).await?;
    match trial.release(held).await {
        Err(_) => Ok(request),
        Ok(answer) => Err(Stop::not_observable(format!(
            "the request that was under way at the kill was answered with {answer}: let `kill` end all of it at once (SIGKILL)"
        ))),
    }
}

fn one_effect(trial: &Trial<'_>, since: Instant, effects: usize, repeat: &Outcome) -> Result<(), Stop> {
    if effects == 1 {
        return Ok(());
    }
    match trial.still_kept(since) {
        Err(stop) => Err(stop),
        Ok(()) => Err(Stop::Verdict(Verdict::fail(
            "one effect after a request, a crash and the repeat",
            format!("{effects} effects; the repeat: {}", told(repeat)),
        ))),
    }
}
