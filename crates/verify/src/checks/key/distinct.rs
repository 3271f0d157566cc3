//! Keys that are nearly the same.

use crate::{
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// As many characters as a usual column for keys has.
const USUAL: usize = 255;

pub(super) async fn case(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let key = format!("{}-key", random::uuid());
    two(trial, &key, &key.to_ascii_uppercase()).await
}

pub(super) async fn cut(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let beginning = || -> String { random::uuid().chars().cycle().take(USUAL).collect() };
    let operation = trial.operation()?;
    let probe = trial.keyed(operation, &(beginning() + "-one"))?;
    let answer = trial.send("a request with a key of more than 255 characters", &probe).await;
    let shared = beginning();
    match Trial::unless_closed(answer)? {
        Some(answer) if answer.is_success() => {
            two(trial, &format!("{shared}-one"), &format!("{shared}-two")).await
        }
        Some(answer) => {
            Ok(Verdict::pass(format!("keys as long as that are refused with {}", answer.status.as_u16())))
        }
        None => Ok(Verdict::pass("keys as long as that are refused by closing the connection")),
    }
}

/// Two keys are two operations.
async fn two(trial: &mut Trial<'_>, one: &str, other: &str) -> Result<Verdict, Stop> {
    let create = &trial.plan().operations.create;
    let first = trial.keyed(trial.unkeyed(create), one)?;
    let second = trial.keyed(trial.unkeyed(create), other)?;
    let before = trial.count().await?;
    trial.carried_out("a request under one key", &first).await?;
    let answer = trial.send("another request under a key that is nearly the same", &second).await?;
    let effects = trial.effects_since(before, 2).await?;
    if answer.is_success() && effects == 2 {
        return Ok(Verdict::pass("two effects"));
    }
    let fresh = trial.keyed_anew(&second)?;
    trial.carried_out("that request under a key that is not like it", &fresh).await?;
    Ok(Verdict::fail("two effects", format!("{effects}, and the second was answered: {answer}")))
}
