//! Long keys.

use crate::{
    call::{Answer, Request},
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// Lengths of keys, in characters: at, over and far over the length that is most in use.
const LENGTHS: [usize; 4] = [255, 256, 1_000, 4_000];

pub(super) async fn ignored(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let mut seen = Vec::new();
    // bounded: by the lengths.
    for length in LENGTHS {
        trial.shows_only_what_follows();
        let request = keyed(trial, &long(length))?;
        let before = trial.count().await?;
        let first = trial.send(&format!("a request with a key of {length} characters"), &request).await?;
        let repeat = trial.until_settled("its repeat", &request).await?;
        let expected = i64::from(first.is_success());
        let effects = trial.effects_since(before, expected).await?;
        if effects > expected || first.is_success() != repeat.is_success() {
            let actual = format!("{effects} effects: {first}, then {repeat}");
            return Ok(Verdict::fail(format!("a key of {length} characters counts, or is refused"), actual));
        }
        seen.push(told(length, &first));
    }
    Ok(Verdict::pass(seen.join("; ")))
}

pub(super) async fn cut(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let mut seen = Vec::new();
    // bounded: by the lengths.
    for length in LENGTHS {
        trial.shows_only_what_follows();
        let beginning = long(length - 1);
        let (one, other) = (keyed(trial, &format!("{beginning}a"))?, keyed(trial, &format!("{beginning}b"))?);
        let before = trial.count().await?;
        let first = trial.send(&format!("a request with a key of {length} characters"), &one).await?;
        let second = trial.until_settled("another, whose key differs in the last character", &other).await?;
        let expected = if first.is_success() { 2 } else { 0 };
        let effects = trial.effects_since(before, expected).await?;
        if effects != expected || first.is_success() != second.is_success() {
            let wanted = format!("two keys of {length} characters are two keys, or both are refused");
            let actual = format!("{effects} effects: {first}, then {second}");
            return Ok(Verdict::fail(wanted, actual));
        }
        seen.push(told(length, &first));
    }
    Ok(Verdict::pass(seen.join("; ")))
}

/// A new operation under this key.
fn keyed(trial: &Trial<'_>, key: &str) -> Result<Request, Stop> {
    trial.keyed(trial.unkeyed(&trial.plan().operations.create), key)
}

/// A fresh key of so many characters.
fn long(length: usize) -> String {
    let fresh = random::uuid();
    fresh.chars().chain(std::iter::repeat('k')).take(length).collect()
}

fn told(length: usize, answer: &Answer) -> String {
    let what = if answer.is_success() { "taken" } else { "refused" };
    format!("{length} characters: {what} ({})", answer.status.as_u16())
}
