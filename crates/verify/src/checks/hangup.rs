//! Clients that hang up, and bodies that come in pieces.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    call::{Answer, Lost, Manner, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::{Count, Trial},
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, sections 1 and 2.6";
const INCOMPLETE: &str = "RFC 9112, section 8 (handling incomplete messages)";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "hangup/runs-again",
        level: Level::Must,
        requirement: "A client that hangs up after sending and repeats its request gets an answer and no second effect.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::NoDeduplication],
        run: |trial| Box::pin(after_sending(trial)),
    },
    Check {
        id: "hangup/result-lost",
        level: Level::Must,
        requirement: "The result of a request whose client hangs up while it runs is there for the repeat.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Slow],
        controls: &[Defect::LostOnHangUp, Defect::NoDeduplication],
        run: |trial| Box::pin(while_it_runs(trial)),
    },
    Check {
        id: "hangup/half-body-counts",
        level: Level::Must,
        requirement: "A request of which half arrives has no effect and takes no key: sent whole under it, it runs once.",
        source: INCOMPLETE,
        needs: &[Need::Counter],
        controls: &[Defect::TakenBeforeBody],
        run: |trial| Box::pin(half_body(trial)),
    },
    Check {
        id: "hangup/slow-body-fails",
        level: Level::Must,
        requirement: "A request whose body comes in two pieces is carried out, and its repeat is the same request.",
        source: "RFC 9112, section 6 (message body)",
        needs: &[Need::Counter],
        controls: &[Defect::FirstPieceOnly],
        run: |trial| Box::pin(slow_body(trial)),
    },
];

/// When clients hang up: before anything can have happened, while it happens, after it.
const HANG_UPS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(100)];
/// How far apart the pieces of a slow body are.
const PIECES_APART: Duration = Duration::from_millis(150);
/// How long something may take that is not to happen, beyond what is waited for effects.
const NOTHING: Duration = Duration::from_millis(150);

async fn after_sending(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    // bounded: by the list.
    for delay in HANG_UPS {
        trial.shows_only_what_follows();
        let before = trial.count().await?;
        let request = trial.operation()?;
        hang_up(trial, &request, delay).await?;
        let repeat = trial.until_settled("the same request again", &request).await?;
        let after = format!("a request whose client hung up within {} ms, and its repeat", told_ms(delay));
        trial.one_effect_and_answer(before, &after, &repeat).await?;
    }
    let tries = u32::try_from(HANG_UPS.len()).unwrap_or(u32::MAX);
    Ok(Verdict::pass_in(tries, "one effect and an answer, whenever the client hung up"))
}

async fn while_it_runs(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let slow = trial.plan().operations.slow.as_ref();
    let slow = slow.ok_or_else(|| Stop::not_observable("no operation takes long"))?;
    let request = trial.keyed_anew(&trial.unkeyed(slow))?;
    let before = trial.count().await?;
    if let Some(answer) = hang_up(trial, &request, NOTHING).await? {
        let why = format!("the slow operation was answered before its client could hang up: {answer}");
        return Err(Stop::not_observable(why));
    }
    let repeat = trial.until_settled("the same request again", &request).await?;
    let after = "a request whose client hung up while it ran, and its repeat";
    trial.one_effect_and_answer(before, after, &repeat).await?;
    Ok(Verdict::pass(format!("one effect, and its answer: {}", repeat.status.as_u16())))
}

async fn half_body(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let request = trial.operation()?;
    if request.body.len() < 2 {
        return Err(Stop::not_observable("the operation has no body that could be halved"));
    }
    let before = trial.count().await?;
    let half = request.clone().sent(Manner::Half);
    // It may be refused before its client hangs up.
    drop(trial.attempt("the head and half of the body, then nothing", &half).await?);
    nothing_happens(trial, before).await?;
    let whole = trial.until_settled("the whole request under the same key", &request).await?;
    if !whole.is_success() {
        return Ok(Verdict::fail("the whole request is carried out", whole.to_string()));
    }
    let repeat = trial.until_settled("its repeat", &request).await?;
    trial.one_effect_since(before, "half a request, the whole, and its repeat").await?;
    Ok(match repeat.is_success() {
        true => Verdict::pass("the half did nothing, and the whole ran once"),
        false => Verdict::fail(whole.to_string(), repeat.to_string()),
    })
}

async fn slow_body(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.repeats_do_nothing().await?;
    let request = trial.operation()?;
    if request.body.len() < 2 {
        return Err(Stop::not_observable("the operation has no body that could be halved"));
    }
    let before = trial.count().await?;
    let slow = request.clone().sent(Manner::Slow(PIECES_APART));
    let first = trial.send("a request whose body comes in two pieces", &slow).await?;
    if !first.is_success() {
        return Ok(Verdict::fail("it is carried out", first.to_string()));
    }
    let repeat = trial.until_settled("its repeat, in one piece", &request).await?;
    trial.one_effect_since(before, "a request in two pieces, and its repeat").await?;
    Ok(match repeat.is_success() {
        true => Verdict::pass("carried out once"),
        false => Verdict::fail(first.to_string(), repeat.to_string()),
    })
}

/// Sends a request and hangs up so long after its last byte; the answer, if it was faster.
async fn hang_up(trial: &mut Trial<'_>, request: &Request, delay: Duration) -> Result<Option<Answer>, Stop> {
    let what = "a first request, whose client hangs up";
    match trial.attempt(what, &request.clone().sent(Manner::HangUp(delay))).await? {
        Err(Lost::HungUp) => Ok(None),
        Ok(answer) => Ok(Some(answer)),
        Err(lost) => Err(Stop::Lost { step: what.into(), lost }),
    }
}

async fn nothing_happens(trial: &mut Trial<'_>, before: Count) -> Result<(), Stop> {
    sleep(NOTHING).await;
    match trial.effects_since(before, 0).await? {
        0 => Ok(()),
        effects => Err(Stop::Verdict(Verdict::fail(
            "no effect of half a request",
            format!("{effects} effects, before the other half was sent"),
        ))),
    }
}

fn told_ms(delay: Duration) -> u128 {
    // What leaves the machine needs a moment; see `call::connection`.
    delay.as_millis() + 20
}
