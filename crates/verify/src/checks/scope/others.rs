//! What others get who know somebody's key.

use crate::{
    call::{Answer, Who},
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn second(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    leaked(trial, Who::Second, "the second caller").await
}

pub(super) async fn nobody(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    demanded(trial)?;
    leaked(trial, Who::Nobody, "somebody without a credential").await
}

pub(super) async fn stranger(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    demanded(trial)?;
    leaked(trial, Who::Stranger, "somebody with a wrong credential").await
}

async fn leaked(trial: &mut Trial<'_>, who: Who, name: &str) -> Result<Verdict, Stop> {
    let marker = trial.profile().known_marker();
    let request = trial.operation()?;
    let counts = trial.plan().counter.is_some() || trial.application().is_ok();
    let before = if counts { Some(trial.count().await?) } else { None };
    let first = trial.carried_out("the first caller's request", &request).await?;
    let same = trial.of(&request, who);
    let answer = trial.send(&format!("the same request and key by {name}"), &same).await?;
    let effects = match before {
        Some(before) => trial.effects_since(before, 1).await?,
        None => 1,
    };
    let marked = answer.is_success() && answer.header(marker.header) == Some(marker.value);
    let expected = format!("{name} does not get the first caller's answer");
    if !first.is_same(&answer) && !marked {
        return Ok(Verdict::pass(format!("{name} gets {}", answer.status.as_u16())));
    }
    if effects > 1 && !marked {
        return Ok(Verdict::pass(format!(
            "an effect and an answer of {name}'s own, which says the same: {answer}"
        )));
    }
    credential_counts(trial, who, name).await?;
    if !first.is_same(&answer) {
        return Ok(Verdict::fail(expected, format!("an answer that is marked as a repeat's: {answer}")));
    }
    // What says no more than was asked says it to everybody.
    let own = trial.keyed_anew(&request)?;
    let own = trial.send("the same under another key, to see whether answers differ at all", &own).await?;
    match own.is_same(&first) && !marked {
        true => Err(Stop::not_observable(
            "whoever asks the same gets the same answer, under whatever key, so whose it is cannot be told",
        )),
        false => Ok(Verdict::fail(expected, format!("the first caller's answer: {answer}"))),
    }
}

/// Where anybody may do the same without a credential, or with any, its absence keeps no answer from anybody. Two callers
/// who are named by the plan are two, whatever the API takes from others.
async fn credential_counts(trial: &mut Trial<'_>, who: Who, name: &str) -> Result<(), Stop> {
    if who == Who::Second {
        return Ok(());
    }
    let own = trial.of(&trial.operation()?, who);
    let answer = trial.send(&format!("a request of his own under a key of his own, by {name}"), &own).await?;
    match answer.is_success() {
        true => Err(Stop::not_observable(format!(
            "the API carries out what {name} asks ({}): it does not demand the credential of the plan",
            answer.status.as_u16()
        ))),
        false => Ok(()),
    }
}

pub(super) async fn unauthenticated(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    demanded(trial)?;
    let keyed = trial.of(&trial.operation()?, Who::Nobody);
    let before = trial.count().await?;
    let answer = trial.send("a request with a fresh key and no credential", &keyed).await?;
    let effects = trial.effects_since(before, 0).await?;
    if !answer.is_success() && effects == 0 {
        return Ok(Verdict::pass(format!("refused with {}", answer.status.as_u16())));
    }
    let unkeyed = trial.without_key(&keyed);
    let without = trial.send("the same without a key", &unkeyed).await?;
    match is_unauthenticated(&without) {
        true => Ok(Verdict::fail(without.to_string(), format!("{answer}, and {effects} effects"))),
        false => Err(Stop::not_observable("the API demands no credential")),
    }
}

pub(super) async fn taken_over(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let other = trial.of(&request, Who::Second);
    trial.send("the same request and key by the second caller", &other).await?;
    let repeat = trial.until_settled("a repeat by the first caller", &request).await?;
    Ok(match first.is_same(&repeat) {
        true => Verdict::pass("the first caller's own answer"),
        false => Verdict::fail(first.to_string(), repeat.to_string()),
    })
}

pub(super) async fn blocked(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let request = trial.operation()?;
    trial.carried_out("the first caller's request", &request).await?;
    let other = trial.of(&trial.changed(&request)?, Who::Second);
    let answer = trial.send("the same key with another body by the second caller", &other).await?;
    if answer.is_success() {
        return Ok(Verdict::pass(format!(
            "the second caller gets an answer of his own: {}",
            answer.status.as_u16()
        )));
    }
    let fresh = trial.keyed_anew(&other)?;
    let control = trial.send("his request under a key that nobody has used", &fresh).await?;
    match control.is_success() {
        true => Ok(Verdict::fail(format!("as for a fresh key: {control}"), answer.to_string())),
        false => Err(Stop::not_observable(format!("the second caller is refused this anyway: {control}"))),
    }
}

pub(super) async fn told(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    demanded(trial)?;
    let request = trial.operation()?;
    trial.carried_out("the first caller's request", &request).await?;
    let known = trial.of(&request, Who::Nobody);
    let fresh = trial.keyed_anew(&known)?;
    let unknown = trial.send("without a credential, a key that nobody has used", &fresh).await?;
    if unknown.is_success() {
        return Err(Stop::not_observable("the API demands no credential"));
    }
    let known = trial.send("without a credential, the first caller's key", &known).await?;
    Ok(match known.status == unknown.status {
        true => Verdict::pass(format!("{} for both", known.status.as_u16())),
        false => Verdict::fail(format!("as for a key that nobody has used: {unknown}"), known.to_string()),
    })
}

fn demanded(trial: &Trial<'_>) -> Result<(), Stop> {
    match trial.plan().credentials.first.is_empty() {
        true => Err(Stop::not_observable(
            "the plan has no credential: add `--credential 'Authorization: …'`, or [credentials.first] to the plan",
        )),
        false => Ok(()),
    }
}

fn is_unauthenticated(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 401 | 403 | 407)
}
