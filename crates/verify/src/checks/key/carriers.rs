//! Keys in more than one place.
//!
//! Which of two keys counts, nobody can know who sends both. Whoever sends the same again with the other one has asked
//! for another operation.

use crate::{
    call::{Answer, Request},
    plan::Carrier,
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn disagree(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let mut refusals = Vec::new();
    for other in &trial.plan().key.also {
        is_looked_at(trial, other).await?;
        let own = trial.operation()?;
        let both = trial.keyed_at(other, own.clone(), &random::uuid())?;
        let before = trial.count().await?;
        let what =
            format!("a request with one key at {}, and another one at {other}", trial.plan().key.carrier);
        let answer = trial.send(&what, &both).await?;
        let effects = trial.effects_since(before, answer.is_success().into()).await?;
        match (answer.is_success(), effects) {
            (true, _) => {
                let alone = without_the_first(trial, &both)?;
                let [one, another] =
                    [("the same with the first key alone", own), ("with the other key alone", alone)];
                trial.send(one.0, &one.1).await?;
                trial.send(another.0, &another.1).await?;
                let effects = trial.effects_since(before, 1).await?;
                return Ok(taken(other, &answer, effects));
            }
            (false, 0) => refusals.push(refused_for_them(trial, other, &answer).await?),
            (false, _) => {
                let actual = format!("it was refused, and has {effects} effects: {answer}");
                return Ok(Verdict::fail(NONE, actual));
            }
        }
    }
    Ok(Verdict::pass(format!("refused: {}", refusals.join(", "))))
}

const NONE: &str = "a refusal, and no effect";

fn taken(other: &Carrier, answer: &Answer, effects: i64) -> Verdict {
    let (expected, seen) =
        (NONE.to_owned(), format!("with two keys, one at {other}, it was carried out: {answer}"));
    match effects {
        2.. => Verdict::fail(
            expected,
            format!("{seen}; sent with each of them alone, it comes to {effects} effects"),
        ),
        _ => Verdict::Deviates {
            expected,
            actual: format!("{seen}; sent with each of them alone, it has no other effect"),
            like: "services that know a request by each of its keys".into(),
        },
    }
}

/// With equal keys in both places it is carried out: it is not for being there that the second one is refused.
async fn refused_for_them(trial: &mut Trial<'_>, other: &Carrier, refused: &Answer) -> Result<String, Stop> {
    let (_, both) = twice(trial, other)?;
    let answer = trial.send(&format!("a request with the same key at {other} as well"), &both).await?;
    match answer.is_success() {
        true => Ok(format!("{other} with {}", refused.status.as_u16())),
        false => Err(Stop::not_observable(format!(
            "a request with the same key at {other} as well is refused too: {answer}"
        ))),
    }
}

pub(super) async fn apart(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let mut refused = None;
    for other in &trial.plan().key.also {
        is_looked_at(trial, other).await?;
        let (own, both) = twice(trial, other)?;
        let before = trial.count().await?;
        let first = format!("a request with its key at {}", trial.plan().key.carrier);
        let first = trial.carried_out(&first, &own).await?;
        let mut repeats = vec![trial.send(&format!("the same key at {other} as well"), &both).await?];
        if let Ok(alone) = without_the_first(trial, &both) {
            repeats.push(trial.send(&format!("the same key at {other} alone"), &alone).await?);
        }
        let effects = trial.effects_since(before, 1).await?;
        let others: Vec<String> =
            repeats.iter().filter(|repeat| !first.is_same(repeat)).map(Answer::to_string).collect();
        let (expected, actual) = (
            "the first answer, and one effect".to_owned(),
            format!("{effects} effects, and at {other}: {}", others.join(", then ")),
        );
        if effects != 1 || repeats.iter().any(|repeat| repeat.is_success() && !first.is_same(repeat)) {
            return Ok(Verdict::fail(expected, actual));
        }
        if !others.is_empty() {
            let like = "services to which the place of a key is a part of the request".to_owned();
            refused = Some(Verdict::Deviates { expected, actual, like });
        }
    }
    Ok(refused.unwrap_or_else(|| Verdict::pass("one operation, wherever its key stands")))
}

/// A request with a key in its first place, and with the same in another one as well.
fn twice(trial: &Trial<'_>, other: &Carrier) -> Result<(Request, Request), Stop> {
    let key = random::uuid();
    let own = trial.keyed(trial.unkeyed(&trial.plan().operations.create), &key)?;
    let both = trial.keyed_at(other, own.clone(), &key)?;
    Ok((own, both))
}

/// The request with its other key alone.
fn without_the_first(trial: &Trial<'_>, both: &Request) -> Result<Request, Stop> {
    match trial.plan().key.carrier {
        Carrier::Path(_) => Err(Stop::not_observable(
            "it was carried out; keys stand in paths here, and whether one beside it is looked at cannot be told",
        )),
        _ => Ok(trial.without_key(both)),
    }
}

/// A key in the other place alone makes a repeat known. Where it does not, the plan is wrong: nobody looks there.
async fn is_looked_at(trial: &mut Trial<'_>, other: &Carrier) -> Result<(), Stop> {
    trial.recognised().await?;
    let (_, both) = twice(trial, other)?;
    let Ok(alone) = without_the_first(trial, &both) else { return Ok(()) };
    let before = trial.count().await?;
    let first = trial.carried_out(&format!("a request with its key at {other} alone"), &alone).await?;
    let repeat = trial.send("its repeat", &alone).await?;
    match trial.effects_since(before, 1).await? {
        1 if first.is_same(&repeat) => Ok(()),
        _ => Err(Stop::not_observable(format!(
            "a repeat with its key at {other} alone is not known again: leave {other} out of the plan if no key is looked for there"
        ))),
    }
}
