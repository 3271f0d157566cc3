//! What was finished, and answered, before a crash.

use tokio::time::Instant;

use crate::{
    call::{Answer, Request},
    trial::{Count, Trial},
    verdict::{Stop, Verdict},
};

/// How often it is killed.
const ROUNDS: u32 = 3;

/// A request and its answer, before any kill.
struct Finished {
    request: Request,
    first: Answer,
    /// How a repeat is answered, of that request and so of all.
    usual: Answer,
}

pub(super) async fn lost(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let since = Instant::now();
    let Finished { request: oldest, first: answer, usual } = finished(trial).await?;
    let after = Answers { like_first: usual.is_same(&answer), usual };
    for number in 1..=ROUNDS {
        trial.shows_only_what_follows();
        let request = trial.operation()?;
        let before = trial.count().await?;
        let first = trial.carried_out("a request", &request).await?;
        // At once: what is written down only now and then is not written down yet.
        trial.crash(&trial.plan().commands).await?;
        let left = trial.effects_meanwhile(before, 1).await?;
        let repeat = trial.until_unlocked("its repeat, after the crash", &request).await?;
        let effects = trial.effects_meanwhile(before, 1).await?;
        trial.still_kept(since)?;
        match (left, effects) {
            (1, 1) if after.has(&first, &repeat) => {}
            (1, 1) => return Ok(Verdict::fail(after.told(&first), format!("at kill {number}: {repeat}"))),
            (1.., 2..) => return Ok(twice(number, effects, &repeat)),
            (0, 0) if repeat.is_success() => {
                let actual = format!("none, at kill {number}, and its repeat says success: {repeat}");
                return Ok(Verdict::fail(ONE_EFFECT, actual));
            }
            // What forgets its effects in a crash has not shown that it has none twice.
            _ => {
                return Err(Stop::not_observable(format!(
                    "what counts effects did not outlive kill {number}: it stood at {left} from before the request, and at \
                     {effects} after its repeat; count something that is stored"
                )));
            }
        }
    }
    let before = trial.count().await?;
    let repeat = trial.until_unlocked("the request before all the kills, again", &oldest).await?;
    let more = trial.effects_meanwhile(before, 0).await?;
    trial.still_kept(since)?;
    Ok(match more {
        0 if after.has(&answer, &repeat) => Verdict::pass_in(
            ROUNDS,
            format!("known again after each kill, without a second effect: {repeat}"),
        ),
        0 => Verdict::fail(after.told(&answer), format!("after {ROUNDS} kills: {repeat}")),
        _ => twice(ROUNDS, 1 + more, &repeat),
    })
}

/// A request that was carried out, and what its repeat is answered while nothing was killed: that is what has to survive.
async fn finished(trial: &mut Trial<'_>) -> Result<Finished, Stop> {
    let request = trial.operation()?;
    let before: Count = trial.count().await?;
    let first = trial.carried_out("a request before any kill", &request).await?;
    let usual = trial.until_settled("its repeat, before any kill", &request).await?;
    match trial.effects_since(before, 1).await? {
        1 => Ok(Finished { request, first, usual }),
        0 => Err(Stop::not_observable("the counter did not see the first request's effect")),
        _ => Err(Stop::not_observable("a plain repeat is not recognised: see replay/runs-again")),
    }
}

/// What repeats are answered.
struct Answers {
    /// With the first answer; otherwise as ever it is answered, such as that it was done already.
    like_first: bool,
    usual: Answer,
}

impl Answers {
    fn has(&self, first: &Answer, repeat: &Answer) -> bool {
        match self.like_first {
            true => repeat.is_same(first),
            false => repeat.status == self.usual.status,
        }
    }

    fn told(&self, first: &Answer) -> String {
        match self.like_first {
            true => format!("the answer from before the crash: {first}"),
            false => format!("as a repeat before the crash: {}", self.usual),
        }
    }
}

const ONE_EFFECT: &str = "1 effect after a request, its answer, a crash and the repeat";

fn twice(number: u32, effects: i64, repeat: &Answer) -> Verdict {
    Verdict::fail(ONE_EFFECT, format!("{effects} effects, at kill {number}; the repeat: {repeat}"))
}
