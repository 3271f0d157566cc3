//! What is large or long.

mod keys;

use crate::{
    call::{Answer, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";
const TOO_LARGE: &str = "RFC 9110, section 15.5.14 (413 Content Too Large)";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "limits/large-request-runs-again",
        level: Level::Must,
        requirement: "A large request has one effect, or it is refused as a whole and has none.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::LargeUnkeyed],
        run: |trial| Box::pin(large_request(trial)),
    },
    Check {
        id: "limits/refused-request-keeps-key",
        level: Level::Should,
        requirement: "A request that is refused for its size takes no key: a smaller one under it is carried out.",
        source: TOO_LARGE,
        needs: &[Need::Counter],
        controls: &[Defect::TakenBeforeBody],
        run: |trial| Box::pin(refused_keeps_key(trial)),
    },
    Check {
        id: "limits/large-request-beginning-counts",
        level: Level::Must,
        requirement: "Large requests with one key that differ at their end are two requests: the second is refused.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, sections 2.4 and 2.7",
        needs: &[Need::Counter],
        controls: &[Defect::BodyBeginning, Defect::BodyIgnored],
        run: |trial| Box::pin(end_counts(trial)),
    },
    Check {
        id: "limits/large-answer-runs-again",
        level: Level::Must,
        requirement: "A request with a large answer does not run again: a repeat gets that answer, or a refusal.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Large],
        controls: &[Defect::LargeRunsAgain],
        run: |trial| Box::pin(large_answer(trial)),
    },
    Check {
        id: "limits/long-key-ignored",
        level: Level::Must,
        requirement: "A long key counts like any other, or it is refused.",
        source: "Stripe, API reference, Idempotent requests: keys of up to 255 characters",
        needs: &[Need::Counter],
        controls: &[Defect::LongKeysIgnored],
        run: |trial| Box::pin(keys::ignored(trial)),
    },
    Check {
        id: "limits/long-key-cut",
        level: Level::Must,
        requirement: "Long keys that differ at their end are two keys, or both are refused.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.2",
        needs: &[Need::Counter],
        controls: &[Defect::KeysCut],
        run: |trial| Box::pin(keys::cut(trial)),
    },
];

/// Sizes of requests, in bytes: one that most take, and one that many refuse.
const SIZES: [usize; 2] = [64 * 1024, 1024 * 1024];

async fn large_request(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let mut seen = Vec::new();
    // bounded: by the sizes.
    for size in SIZES {
        trial.shows_only_what_follows();
        let request = padded(&trial.operation()?, size)?;
        let before = trial.count().await?;
        let Some(first) = sent(trial, size, &request).await? else {
            trial.effects_or_stop(before, 0, "a request that was refused by closing its connection").await?;
            seen.push(format!("{size} bytes: refused by closing the connection"));
            continue;
        };
        let repeat = Trial::unless_closed(trial.until_settled("its repeat", &request).await)?;
        let expected = i64::from(first.is_success());
        let effects = trial.effects_since(before, expected).await?;
        let (repeated, repeat) = (repeat.as_ref().is_some_and(Answer::is_success), said(repeat.as_ref()));
        let carried_out = if first.is_success() { "carried out once" } else { "refused" };
        if effects > expected {
            let actual = format!("{effects} effects: {first}, then {repeat}");
            return Ok(Verdict::fail(format!("{size} bytes are {carried_out}"), actual));
        }
        if first.is_success() != repeated {
            let expected = format!("{} both times", first.status.as_u16());
            return Ok(Verdict::fail(expected, format!("the repeat: {repeat}")));
        }
        seen.push(format!("{size} bytes: {carried_out} with {}", first.status.as_u16()));
    }
    Ok(Verdict::pass(seen.join("; ")))
}

async fn refused_keeps_key(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let small = trial.operation()?;
    let before = trial.count().await?;
    let size = SIZES.iter().copied().max().unwrap_or_default();
    let large = padded(&small, size)?;
    let refused = sent(trial, size, &large).await?;
    if refused.as_ref().is_some_and(Answer::is_success) {
        return Err(Stop::not_observable(format!("a request of {size} bytes is not refused")));
    }
    let answer = trial.until_settled("the same without its white space, under the same key", &small).await?;
    let effects = trial.effects_since(before, i64::from(answer.is_success())).await?;
    Ok(match (answer.is_success(), effects) {
        (true, 1) => Verdict::pass("refused, and the key is free"),
        (true, _) => Verdict::fail("one effect", format!("{effects} effects: {answer}")),
        (false, _) => Verdict::fail("it is carried out", answer.to_string()),
    })
}

async fn end_counts(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let request = trial.operation()?;
    let other = trial.changed(&request)?;
    let size = SIZES.iter().copied().min().unwrap_or_default();
    let (large, other) = (padded(&request, size)?, padded(&other, size)?);
    let before = trial.count().await?;
    trial.carried_out(&format!("a request of {size} bytes"), &large).await?;
    let what = "one that differs at its end, under the same key";
    let answer = trial.until_settled(what, &other).await;
    let Some(answer) = Trial::unless_closed(answer)? else {
        trial.effects_or_stop(before, 1, "two requests, of which one was refused by closing").await?;
        return Ok(Verdict::pass("refused by closing the connection"));
    };
    let effects = trial.effects_since(before, 1).await?;
    let expected = format!("{}, and one effect", trial.profile().mismatch.listed());
    Ok(match (answer.is_success(), effects) {
        (false, ..=1) => Verdict::pass(format!("refused with {}", answer.status.as_u16())),
        (true, ..=1) => Verdict::fail(expected, format!("success, though it did nothing: {answer}")),
        (_, _) => Verdict::fail(expected, format!("{effects} effects: {answer}")),
    })
}

async fn large_answer(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let operation = trial.plan().operations.large.as_ref();
    let operation = operation.ok_or_else(|| Stop::not_observable("no operation has a large answer"))?;
    let request = trial.keyed_anew(&trial.unkeyed(operation))?;
    let before = trial.count().await?;
    let first = trial.carried_out("a request with a large answer", &request).await?;
    let repeat = trial.until_unlocked("its repeat", &request).await?;
    trial.one_effect_since(before, "a request with a large answer, and its repeat").await?;
    let size = first.body.len();
    Ok(match (repeat.is_same(&first), repeat.is_success()) {
        (true, _) => Verdict::pass(format!("one effect, and the same {size} bytes")),
        // Nothing is done twice and nothing is said that is not so.
        (false, false) => {
            Verdict::pass(format!("one effect; the repeat of {size} bytes is refused: {repeat}"))
        }
        (false, true) => Verdict::fail(format!("the same {size} bytes, or a refusal"), repeat.to_string()),
    })
}

/// Sends a request that may be too large; `None`: the connection was closed before it was sent whole, which is a
/// refusal as well (RFC 9110, section 15.5.14).
async fn sent(trial: &mut Trial<'_>, size: usize, request: &Request) -> Result<Option<Answer>, Stop> {
    let what = format!("a request of {size} bytes");
    Trial::unless_closed(trial.send(&what, request).await)
}

/// What was answered, if it was.
fn said(answer: Option<&Answer>) -> String {
    answer.map_or_else(|| "its connection was closed".into(), ToString::to_string)
}

/// The same request with white space in front of its JSON, which says nothing and is sent all the same.
fn padded(request: &Request, size: usize) -> Result<Request, Stop> {
    let inside = request.body.strip_prefix(b"{").filter(|_| request.is_json());
    let inside = inside.ok_or_else(|| {
        Stop::not_observable("only an operation with a JSON object as its body can be made large")
    })?;
    let padding = " ".repeat(size.saturating_sub(request.body.len()));
    Ok(request.clone().with_body([b"{", padding.as_bytes(), inside].concat()))
}
