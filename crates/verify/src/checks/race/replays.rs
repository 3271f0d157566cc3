//! Repeats at once, after the answer.

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn at_once(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const CALLERS: u32 = 20;
    let request = trial.operation()?;
    let since = Instant::now();
    let first = trial.carried_out("a first request", &request).await?;
    // What is stored only after the answer has gone out may say for a moment that it runs.
    trial.until_settled("its repeat", &request).await?;
    let repeats = vec![request; CALLERS as usize];
    let outcomes = trial.at_once("its repeats, at once", repeats).await?;
    let kept = trial.still_kept(since);
    for outcome in outcomes {
        match outcome {
            Ok(answer) if answer.is_same(&first) => {}
            // It may count how many ask at once, and that is not about keys.
            Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Stop::not_observable(format!("the API limits requests at once: {answer}")));
            }
            Ok(answer) => {
                return kept.map(|()| Verdict::fail(format!("{first}, for each"), answer.to_string()));
            }
            Err(lost) => return Ok(Verdict::fail(format!("{first}, for each"), lost.to_string())),
        }
    }
    Ok(Verdict::pass_in(CALLERS, format!("{CALLERS} at once got the first answer")))
}
