//! Requests under one key while the first of them is at work: held by the application, so that they overlap for certain.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    call::{Answer, Outcome},
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    upstream::{Barrier, Stage},
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, sections 2.6 and 2.7";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "overlap/two-before-effect",
        level: Level::Must,
        requirement: "While a request has reached the application and not taken effect, no other one under its key does.",
        source: DRAFT,
        needs: &[Need::UpstreamView],
        controls: &[Defect::NoDeduplication, Defect::CheckThenAct],
        run: |trial| Box::pin(one_effect(trial, Stage::BeforeEffect)),
    },
    Check {
        id: "overlap/two-after-effect",
        level: Level::Must,
        requirement: "While a request has taken effect and is not answered, no other one under its key does.",
        source: DRAFT,
        needs: &[Need::UpstreamView],
        controls: &[Defect::NoDeduplication, Defect::CheckThenAct],
        run: |trial| Box::pin(one_effect(trial, Stage::AfterEffect)),
    },
    Check {
        id: "overlap/answer-withheld",
        level: Level::Must,
        requirement: "Who repeats a request that runs gets its answer or is told that it runs, and later gets its answer.",
        source: DRAFT,
        needs: &[Need::UpstreamView],
        controls: &[Defect::StuckInProgress],
        run: |trial| answered(trial),
    },
    Check {
        id: "overlap/lock-outlived",
        level: Level::Must,
        requirement: "A request that works three times as long as its key is locked for is not run a second time.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.6; platforms whose lock ends with a time-out run it twice",
        needs: &[Need::UpstreamView],
        controls: &[Defect::ShortLock],
        run: |trial| outlived(trial),
    },
];

/// How many ask at once.
const CALLERS: [usize; 3] = [2, 10, 100];
/// How long those may need to come that find the first at work.
const MEANWHILE: Duration = Duration::from_millis(250);

async fn one_effect(trial: &mut Trial<'_>, stage: Stage) -> Result<Verdict, Stop> {
    let application = trial.application()?;
    let most = trial.plan().bounds.at_once as usize;
    let mut asked = Vec::new();
    for callers in CALLERS.into_iter().filter(|callers| *callers <= most) {
        let held = trial.hold(stage).await?;
        let token = held.request.token.clone();
        let others = vec![held.request.clone(); callers - 1];
        let others = trial.begin("its repeats, while it is held", others)?;
        sleep(MEANWHILE).await;
        let (beside, proof) = (application.arrivals_of(&token).len(), held.proof());
        // What becomes of them is judged by others; none of them may have run.
        drop((trial.release(held).await, trial.finish(others).await));
        let effects = application.effects_of(&token);
        if beside > 1 || effects > 1 {
            return Ok(Verdict::fail(
                format!("one arrival at the application and one effect for {callers} requests"),
                format!("{beside} arrivals while the first was held {stage}, and {effects} effects"),
            ));
        }
        proof?;
        asked.push(callers.to_string());
    }
    let tries = u32::try_from(asked.len()).unwrap_or(u32::MAX);
    Ok(Verdict::pass_in(
        tries,
        format!("one effect each for {} requests while the first was held {stage}", asked.join(", ")),
    ))
}

fn answered<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let held = trial.hold(Stage::AfterEffect).await?;
        let request = held.request.clone();
        let others = trial.begin("its repeats, while it is held", vec![request.clone(); 9])?;
        sleep(MEANWHILE).await;
        let proof = held.proof();
        let first = answer("the first request", trial.release(held).await)?;
        proof?;
        let mut told = 0;
        for other in trial.finish(others).await {
            let other = answer("a repeat while the first was held", other)?;
            if trial.is_told_to_wait(&other) {
                told += 1;
            } else if (other.status, &other.body) != (first.status, &first.body) {
                return Ok(Verdict::fail(format!("{first}, or that it runs"), other.to_string()));
            }
        }
        let later = trial.until_settled("a repeat later", &request).await?;
        Ok(match (later.status, &later.body) == (first.status, &first.body) {
            true => Verdict::pass_in(
                1,
                format!("of 9 repeats {told} were told that it runs, all others got its answer"),
            ),
            false => Verdict::fail(format!("later {first}"), later.to_string()),
        })
    })
}

fn outlived<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let application = trial.application()?;
        let lease = trial.plan().key.lease;
        let step = lease.unwrap_or(UNKNOWN_LEASE);
        let length = (step + step / 8) * 3;
        if length + MEANWHILE >= Barrier::LONGEST {
            return Err(Stop::not_observable(format!(
                "a lock of {step:?} cannot be outlived here: configure the system, and lease under [key], with {:?} or less",
                Barrier::LONGEST / 4
            )));
        }
        let held = trial.hold(Stage::BeforeEffect).await?;
        let request = held.request.clone();
        let mut others = Vec::new();
        for _ in 0..3 {
            // bounded: by the lease that the plan names.
            sleep(step + step / 8).await;
            others.push(trial.begin("a repeat, while it is still held", vec![request.clone()])?);
        }
        sleep(MEANWHILE).await;
        let (beside, proof) = (application.arrivals_of(&request.token).len(), held.proof());
        drop(trial.release(held).await);
        for other in others {
            drop(trial.finish(other).await);
        }
        let effects = application.effects_of(&request.token);
        let length = (step + step / 8) * 3;
        if beside == 1 && effects <= 1 {
            proof?;
        }
        Ok(match (beside, effects) {
            (1, 1) => match lease {
                Some(_) => Verdict::pass_in(1, format!("one effect of a request of {length:?}")),
                None => Err(Stop::not_observable(format!(
                    "one effect of a request of {length:?}, but how long a lock lasts is not known: write it to lease under \
                         [key] of the plan"
                )))?,
            },
            (1, 0) => Stop::not_observable(format!("the request did not take effect after {length:?}"))
                .into_verdict(),
            _ => Verdict::fail(
                "one arrival at the application and one effect",
                format!("{beside} arrivals within {length:?}, and {effects} effects"),
            ),
        })
    })
}

/// How long a key is taken to be locked if nobody says it.
const UNKNOWN_LEASE: Duration = Duration::from_millis(400);

fn answer(what: &str, outcome: Outcome) -> Result<Answer, Stop> {
    outcome.map_err(|lost| Stop::Lost { step: what.to_owned(), lost })
}
