//! One kill.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    call::{Outcome, Request},
    random,
    trial::{Begun, Count, Trial},
    verdict::Stop,
};

/// What one kill has shown.
pub(super) struct Round {
    /// Whether it came after the effect and before the answer.
    pub(super) between: bool,
    /// How many effects there are after the repeat.
    pub(super) effects: i64,
    /// What the repeat was told, once it started again: it may be to wait.
    pub(super) repeat: Outcome,
    /// What was sent, and sent again.
    pub(super) request: Request,
    /// When it was sent first.
    pub(super) since: Instant,
}

/// Longest time between the first sight of the effect and the kill.
const JITTER_MAX: Duration = Duration::from_millis(10);

/// Sends a request, kills at the first sight of its effect, starts again, and repeats the request.
pub(super) async fn round(trial: &mut Trial<'_>) -> Result<Round, Stop> {
    let request = request(trial)?;
    let before = trial.count_to_compare().await?;
    let since = Instant::now();
    let first = trial.begin("a first request", vec![request.clone()])?;
    let seen = first_sight(trial, before, &first).await?;
    sleep(jitter()).await;
    let crashed = trial.crash(&trial.plan().commands).await;
    let answered = trial.finish(first).await.pop().is_some_and(|outcome| outcome.is_ok());
    crashed?;
    let mut repeat = trial.attempt("the same request again, after the crash", &request).await?;
    let mut effects = trial.effects_meanwhile(before, 1).await?;
    if effects == 0 && trial.is_to_wait(&repeat) {
        // Its effect may still come, and would be counted for the next one.
        let settled = trial.until_unlocked("the same request again, until it is settled", &request).await;
        (repeat, effects) = (Trial::outcome(settled)?, trial.effects_meanwhile(before, 1).await?);
    }
    Ok(Round { between: seen && !answered, effects, repeat, request, since })
}

/// The one that takes long where there is one: its answer comes long after its effect, or may.
fn request(trial: &Trial<'_>) -> Result<Request, Stop> {
    let operations = &trial.plan().operations;
    trial.keyed_anew(&trial.unkeyed(operations.slow.as_ref().unwrap_or(&operations.create)))
}

/// Waits for the first effect since `before`, or for the answer if that is sooner; whether there was an effect.
async fn first_sight(trial: &mut Trial<'_>, before: Count, first: &Begun) -> Result<bool, Stop> {
    let started = Instant::now();
    // bounded: by the first request's patience. The longer it takes, the less often it is looked at: so that a slow
    // operation does not cost thousands of requests.
    while !first.is_over() {
        if trial.first_sight(before).await? > 0 {
            return Ok(true);
        }
        sleep(started.elapsed() / 50).await;
    }
    Ok(trial.first_sight(before).await? > 0)
}

fn jitter() -> Duration {
    let most = u64::try_from(JITTER_MAX.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random::number() % (most + 1))
}
