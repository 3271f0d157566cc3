//! What is the same by value is the same request, and what is not is another one.
//!
//! An API may compare bytes: then it refuses a request that is spelled in another way, which is safe and costs a caller
//! nothing that he could not mend. What it must not do is to carry it out once more.

mod spelling;

use serde_json::Value;

use crate::{
    call::Request,
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const FINGERPRINT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.4";
const OBJECTS: &str = "RFC 8259, section 1: an object is an unordered collection";
const SPACE: &str = "RFC 8259, section 2: insignificant white space";
const NUMBERS: &str = "RFC 8259, section 6 (numbers)";
const OTHER: &str =
    "draft-ietf-httpapi-idempotency-key-header-07, section 2.2: a key is not used with another payload";
const STRINGS: &str = "RFC 8259, sections 7 and 8.3: escapes stand for the characters that they name";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "sameness/large-integers-folded",
        level: Level::Must,
        requirement: "Large integers that differ make two requests, also beyond what a floating point number can tell apart.",
        source: OTHER,
        needs: &[Need::Counter],
        controls: &[Defect::LargeIntegersFolded],
        run: |trial| Box::pin(large_integers(trial)),
    },
    Check {
        id: "sameness/member-order",
        level: Level::Must,
        requirement: "The same members in another order have no second effect under the same key.",
        source: OBJECTS,
        needs: &[Need::Counter],
        controls: &[Defect::FingerprintInKey],
        run: |trial| Box::pin(respelled(trial, "its members in another order", spelling::reversed)),
    },
    Check {
        id: "sameness/white-space",
        level: Level::Must,
        requirement: "The same document with other white space has no second effect under the same key.",
        source: SPACE,
        needs: &[Need::Counter],
        controls: &[Defect::FingerprintInKey],
        run: |trial| Box::pin(respelled(trial, "other white space", spelling::spaced)),
    },
    Check {
        id: "sameness/number-spelling",
        level: Level::Must,
        requirement: "The same number in another spelling (1.0 for 1) has no second effect under the same key.",
        source: NUMBERS,
        needs: &[Need::Counter],
        controls: &[Defect::FingerprintInKey],
        run: |trial| Box::pin(respelled(trial, "a number as 1.0 for 1", spelling::fractional)),
    },
    Check {
        id: "sameness/string-escapes",
        level: Level::Must,
        requirement: "The same string with escapes has no second effect under the same key.",
        source: STRINGS,
        needs: &[Need::Counter],
        controls: &[Defect::FingerprintInKey],
        run: |trial| Box::pin(respelled(trial, "a string in escapes", spelling::escaped)),
    },
];

/// The least integers that a double-precision number cannot tell apart.
const NEIGHBOURS: [u64; 2] = [9_007_199_254_740_992, 9_007_199_254_740_993];

async fn respelled(
    trial: &mut Trial<'_>,
    how: &str,
    respell: fn(&Value, &[String]) -> Option<String>,
) -> Result<Verdict, Stop> {
    let (request, first) = trial.recognised().await?;
    let (body, leaves) = trial.document(&request)?;
    let other = respell(&body, &leaves).filter(|other| other.as_bytes() != request.body);
    let other = other.ok_or_else(|| Stop::not_observable("nothing in the body can be spelled otherwise"))?;
    let before = trial.count().await?;
    let answer = trial.send(&format!("the same by value: {how}"), &request.with_body(other)).await?;
    let effects = trial.effects_since(before, 0).await?;
    let (expected, actual) = (format!("the first answer: {first}"), answer.to_string());
    Ok(match (effects, answer.is_success()) {
        (1.., _) => Verdict::fail("no second effect", format!("a second effect: {actual}")),
        (_, true) if first.is_same(&answer) => Verdict::pass("taken for the same request"),
        (_, true) => Verdict::fail(expected, actual),
        (_, false) => Verdict::Deviates {
            expected,
            actual,
            like: format!(
                "services that compare the bytes of requests ({FINGERPRINT}: a checksum of the entire payload)"
            ),
        },
    })
}

async fn large_integers(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.recognised().await?;
    for place in PLACES {
        let request = trial.operation()?;
        let [Some(one), Some(two)] = NEIGHBOURS.map(|number| large(trial, &request, place, number)) else {
            continue;
        };
        let before = trial.count().await?;
        let first = trial.send(&format!("a request with {}", NEIGHBOURS[0]), &one).await?;
        if !first.is_success() {
            continue;
        }
        // A large amount moves a balance by much: what the second adds is what counts.
        trial.effects_since(before, 1).await?;
        let before = trial.count().await?;
        let answer = trial.send(&format!("the same key with {}", NEIGHBOURS[1]), &two).await?;
        let expected = format!("{}: it is another number", trial.profile().mismatch.listed());
        let effects = trial.effects_since(before, 0).await?;
        if effects == 0 && answer.is_success() && place == Place::Added && !is_compared(trial).await? {
            continue;
        }
        return Ok(match (effects, answer.is_success()) {
            (1.., _) => Verdict::fail(expected, format!("a second effect: {answer}")),
            (_, true) => Verdict::fail(expected, format!("the first request's answer: {answer}")),
            (_, false) => Verdict::pass(format!("refused with {}", answer.status.as_u16())),
        });
    }
    Err(Stop::not_observable("a request with an integer of 2^53 is not carried out"))
}

/// Where in a body a large integer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a member of its own, which most APIs pass over: it moves nothing.
    Added,
    /// In place of the first number, which may be an amount.
    First,
}

/// What moves nothing is tried first.
const PLACES: [Place; 2] = [Place::Added, Place::First];

fn large(trial: &Trial<'_>, request: &Request, place: Place, number: u64) -> Option<Request> {
    let (body, leaves) = trial.document(request).ok()?;
    let body = match place {
        Place::Added => spelling::in_member(&body, &leaves, number),
        Place::First => spelling::in_number(&body, &leaves, number),
    };
    body.map(|body| request.clone().with_body(body))
}

/// The requests with a large integer that may be sent, for those who want to know before.
pub(crate) fn with_large_integers(trial: &Trial<'_>, request: &Request) -> Vec<(Place, Request)> {
    let of = |place| large(trial, request, place, NEIGHBOURS[0]).map(|request| (place, request));
    PLACES.into_iter().filter_map(of).collect()
}

/// Whether an API looks at a member that it does not know when it compares requests: small numbers are told apart by all
/// that do.
async fn is_compared(trial: &mut Trial<'_>) -> Result<bool, Stop> {
    let request = trial.operation()?;
    let [Some(one), Some(two)] = [1, 2].map(|number| large(trial, &request, Place::Added, number)) else {
        return Ok(false);
    };
    trial.send("a request with a small number there", &one).await?;
    Ok(!trial.send("the same key with another small number", &two).await?.is_success())
}
