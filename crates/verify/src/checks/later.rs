//! What shows only after everything else, or after a while.

use tokio::time::{Instant, sleep};

use crate::{
    call::{Answer, Fault, Request},
    check::{Check, Level, Need},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "later/forgotten",
        level: Level::Must,
        requirement: "The first request of a run is known again at its end, after all the others.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::HundredKeys],
        run: |trial| Box::pin(forgotten(trial)),
    },
    Check {
        id: "later/second-effect",
        level: Level::Must,
        requirement: "Once its effects are counted, no request has another one: not while checks follow, and not at rest.",
        source: DRAFT,
        needs: &[Need::Counter],
        controls: &[Defect::SecondEffectLater],
        run: |trial| Box::pin(second_effect(trial)),
    },
];

const THREE: &str = "3 effects of three requests and their repeats";
/// How many others come in between at least.
const OTHERS: u32 = 150;
/// How many of them go out at once.
const TOGETHER: u32 = 10;

async fn forgotten(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let first = match trial.first_of_the_run() {
        Some(first) => first,
        None => {
            let request = trial.operation()?;
            let answer = trial.carried_out("a first request", &request).await?;
            trial.is_first_of_the_run(&request, &answer)
        }
    };
    let together = TOGETHER.min(trial.plan().bounds.at_once);
    // bounded: by the number of others that are wanted.
    while first.others() < OTHERS {
        trial.shows_only_what_follows();
        let others: Result<Vec<Request>, Stop> = (0..together).map(|_| trial.operation()).collect();
        trial.at_once("others, with keys of their own", others?).await?;
    }
    trial.still_kept(first.at)?;
    // Effects of the others that come after their answers are no second one.
    let before = trial.count_at_rest().await?;
    let repeat = trial.until_settled("the first request of this run, again", &first.request).await?;
    let effects = trial.effects_since(before, 0).await?;
    let others = first.others();
    if effects == 0 && first.answer.is_same(&repeat) {
        return Ok(Verdict::pass(format!("known again after {others} other keys")));
    }
    trial.recognised().await?;
    Ok(Verdict::fail(
        format!("{}, and no effect, after {others} other keys", first.answer),
        format!("{repeat}, and {effects} effects"),
    ))
}

async fn second_effect(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let settle = trial.plan().bounds.settle;
    let (repeated, lost, doubled) = (trial.operation()?, trial.operation()?, trial.operation()?);
    let before = trial.count().await?;
    trial.carried_out("a request", &repeated).await?;
    trial.until_settled("its repeat", &repeated).await?;
    drop(
        trial
            .attempt("a request whose answer gets lost", &lost.clone().meeting(Fault::AnswerDropped))
            .await?,
    );
    trial.until_settled("its repeat", &lost).await?;
    let outcomes = trial.at_once("two at once under one key", vec![doubled; 2]).await?;
    if !outcomes.iter().flatten().any(Answer::is_success) {
        return Err(Stop::not_observable("of two requests at once none was carried out"));
    }
    match trial.effects_since(before, 3).await? {
        3 => {}
        fewer @ ..3 => return Err(Stop::not_observable(format!("{fewer} effects of three requests"))),
        effects => {
            // Judged by others, and not once more here: one that is late cannot be told from them.
            return Err(Stop::not_observable(format!(
                "{effects} effects at once of three requests: see replay/runs-again and race/two-run"
            )));
        }
    }
    let counted = Instant::now();
    // bounded: by the plan's time to settle.
    while counted.elapsed() < settle {
        sleep(settle / 10).await;
        let more = trial.glance(before).await? - 3;
        if more != 0 {
            // What a report shows of it.
            trial.effects_meanwhile(before, 3).await?;
            let actual = format!(
                "{more} more, within {:.1} s after they were counted",
                counted.elapsed().as_secs_f32()
            );
            return Ok(Verdict::fail(THREE, actual));
        }
    }
    let late = trial.late_effects();
    Ok(match late.is_empty() {
        true => Verdict::pass(format!("none within {:.1} s, nor between the checks", settle.as_secs_f32())),
        false => Verdict::fail("no effect but those that were counted", late.join("; ")),
    })
}
