//! What is stopped for a while, and does not know it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// How long it is stopped, if the plan does not say.
const PAUSE: Duration = Duration::from_secs(5);
/// So much later than the first request it is stopped: it has been taken up by then.
const TAKEN_UP: Duration = Duration::from_millis(50);

pub(super) async fn runs_again(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let plan = trial.plan();
    let operation = plan.operations.slow.as_ref().unwrap_or(&plan.operations.create);
    let request = trial.keyed_anew(&trial.unkeyed(operation))?;
    let (said, lease) = (plan.commands.pause_for, plan.key.lease);
    let paused = said.or(lease.map(|lease| lease + lease / 4)).unwrap_or(PAUSE);
    let before = trial.count().await?;
    let since = Instant::now();
    let first = trial.begin("a first request", vec![request.clone()])?;
    trial.wait(TAKEN_UP).await;
    // Whoever answers this has had the time to take up what was sent before, however busy the machine is.
    trial.count().await?;
    let missed = first.is_over();
    let stopped = trial.pause(&plan.commands).await;
    let repeat = trial.begin("its repeat, while nobody runs", vec![request.clone()]);
    if stopped.is_ok() {
        trial.wait(paused).await;
    }
    // Whatever comes of it: nothing is left stopped, also by a command that did its work and failed.
    let resumed = trial.resume(&plan.commands).await;
    stopped.and(resumed)?;
    trial.finish(first).await;
    trial.finish(repeat?).await;
    trial.until_it_answers().await?;
    let last = trial.until_settled("the same request again, after all", &request).await?;
    let after = format!("a request, a stop of {:.1} s, and repeats", paused.as_secs_f32());
    let once = trial.one_effect_since(before, &after).await;
    if once.is_err() {
        trial.still_kept(since)?;
    }
    once?;
    // Without the one or the other nobody says that a lock was over meanwhile.
    let outlived = lease.map_or(said.is_some(), |lease| paused > lease);
    match (missed, outlived) {
        (true, _) => Err(Stop::not_observable(
            "the request was over before it could be stopped: add [operations.slow] to the plan",
        )),
        (false, false) => Err(Stop::not_observable(format!(
            "one effect after {after}, but its lock may last longer: write that to lease under [key], or stop it for longer \
             by pause_for under [commands]"
        ))),
        (false, true) => {
            Ok(Verdict::pass(format!("one effect after {after}; the last one: {}", last.status.as_u16())))
        }
    }
}
