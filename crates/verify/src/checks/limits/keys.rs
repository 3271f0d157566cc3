//! Long keys.

use super::said;
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
        let first = trial.send(&format!("a request with a key of {length} characters"), &request).await;
        let first = Trial::unless_closed(first)?;
        let repeat = Trial::unless_closed(trial.until_settled("its repeat", &request).await)?;
        let expected = i64::from(taken(first.as_ref()));
        let effects = trial.effects_since(before, expected).await?;
        if effects > expected || taken(first.as_ref()) != taken(repeat.as_ref()) {
            let actual =
                format!("{effects} effects: {}, then {}", said(first.as_ref()), said(repeat.as_ref()));
            return Ok(Verdict::fail(format!("a key of {length} characters counts, or is refused"), actual));
        }
        seen.push(told(length, first.as_ref()));
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
        let first = trial.send(&format!("a request with a key of {length} characters"), &one).await;
        let first = Trial::unless_closed(first)?;
        let second = trial.until_settled("another, whose key differs in the last character", &other).await;
        let second = Trial::unless_closed(second)?;
        let expected = if taken(first.as_ref()) { 2 } else { 0 };
        let effects = trial.effects_since(before, expected).await?;
        if effects != expected || taken(first.as_ref()) != taken(second.as_ref()) {
            let wanted = format!("two keys of {length} characters are two keys, or both are refused");
            let actual =
                format!("{effects} effects: {}, then {}", said(first.as_ref()), said(second.as_ref()));
            return Ok(Verdict::fail(wanted, actual));
        }
        seen.push(told(length, first.as_ref()));
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

/// Whether it was carried out. Of a key that is too long for its head, a server may refuse the request by closing.
fn taken(answer: Option<&Answer>) -> bool {
    answer.is_some_and(Answer::is_success)
}

fn told(length: usize, answer: Option<&Answer>) -> String {
    let what = if taken(answer) { "taken" } else { "refused" };
    let how = answer.map_or_else(|| "closed".to_owned(), |answer| answer.status.as_u16().to_string());
    format!("{length} characters: {what} ({how})")
}
