//! What is left of a result after its time.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    call::{Answer, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::{Count, Trial},
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.3";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "expiry/forgotten-early",
        level: Level::Must,
        requirement: "As long as results are said to be kept, a repeat has no second effect.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Retention],
        controls: &[Defect::ForgottenEarly],
        run: |trial| Box::pin(forgotten_early(trial)),
    },
    Check {
        id: "expiry/half-state",
        level: Level::Should,
        requirement: "After that, a repeat is answered as before, carried out as new, or refused; and so again.",
        source: DRAFT,
        needs: &[Need::Counter, Need::Retention],
        controls: &[Defect::HalfExpired],
        run: |trial| Box::pin(half_state(trial)),
    },
];

/// Longest retention that is waited for.
const LONGEST: Duration = Duration::from_secs(60);

/// When within the retention it is repeated, as shares of it: late, and yet early enough for a repeat to be on its way.
const LATE: [f32; 2] = [0.6, 0.9];

/// A request that was carried out, and when its time has passed.
struct Known {
    request: Request,
    first: Answer,
    before: Count,
    since: Instant,
}

async fn forgotten_early(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let retention = retention(trial)?;
    let Known { request, first, before, since } = known(trial).await?;
    let mut kept = None;
    for share in LATE {
        let late = retention.mul_f32(share);
        trial.wait((since + late).saturating_duration_since(Instant::now())).await;
        let repeat =
            trial.until_settled("its repeat, within the time that results are kept", &request).await?;
        if since.elapsed() > retention {
            break;
        }
        let after = format!("a request and, {:.1} s later, its repeat", late.as_secs_f32());
        trial.one_effect_since(before, &after).await?;
        if !repeat.is_same(&first) {
            return Ok(Verdict::fail(first.to_string(), repeat.to_string()));
        }
        kept = Some(late);
    }
    match kept {
        Some(late) => Ok(Verdict::pass(format!("the first answer after {:.1} s", late.as_secs_f32()))),
        None => Err(Stop::not_observable("the repeat took longer than results are kept")),
    }
}

async fn half_state(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let retention = retention(trial)?;
    let Known { request, first, before, .. } = known(trial).await?;
    // From the answer on, and some time for whoever sweeps.
    trial.wait(retention + retention / 4).await;
    let after = trial.until_settled("its repeat, after the time that results are kept", &request).await?;
    let again = trial.until_settled("and once more", &request).await?;
    let effects = trial.effects_since(before, 2).await?;
    let expected =
        "the first answer, a new effect with an answer of its own, or a refusal; and the same again";
    let actual = format!("{effects} effects: {first}, then {after}, then {again}");
    Ok(match (after.is_success(), effects) {
        _ if !again.is_same(&after) => Verdict::fail(expected, actual),
        (true, 1) if after.is_same(&first) => Verdict::pass("it is still answered as before"),
        (true, 2) => Verdict::pass("it is carried out as new, once"),
        (false, 1) if after.status.is_client_error() => Verdict::pass(format!("it is refused: {after}")),
        (_, _) => Verdict::fail(expected, actual),
    })
}

fn retention(trial: &Trial<'_>) -> Result<Duration, Stop> {
    match trial.plan().retention {
        Some(retention) if retention <= LONGEST => Ok(retention),
        _ => Err(Stop::not_observable(format!(
            "results are kept for too long to wait for it: configure the API and the plan with at most {} s",
            LONGEST.as_secs()
        ))),
    }
}

async fn known(trial: &mut Trial<'_>) -> Result<Known, Stop> {
    let request = trial.operation()?;
    let before = trial.count().await?;
    let since = Instant::now();
    let first = trial.carried_out("a first request", &request).await?;
    Ok(Known { request, first, before, since })
}
