//! Repeats at once, after the answer.

use crate::{
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn at_once(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    const CALLERS: u32 = 20;
    let request = trial.operation()?;
    let first = trial.carried_out("a first request", &request).await?;
    let repeats = vec![request; CALLERS as usize];
    for outcome in trial.at_once("its repeats, at once", repeats).await? {
        match outcome {
            Ok(answer) if answer.is_same(&first) => {}
            Ok(answer) => return Ok(Verdict::fail(format!("{first}, for each"), answer.to_string())),
            Err(lost) => return Ok(Verdict::fail(format!("{first}, for each"), lost.to_string())),
        }
    }
    Ok(Verdict::pass_in(CALLERS, format!("{CALLERS} at once got the first answer")))
}
