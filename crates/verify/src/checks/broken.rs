//! An application that breaks off after its effect.

use crate::{
    call::{Lost, Outcome, Request},
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    upstream::{Act, Script, Stage},
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "broken/runs-again-unanswered",
        level: Level::Must,
        requirement: "If the application breaks off after its effect without an answer, a repeat is not run again blindly.",
        source: SOURCE,
        needs: &[Need::UpstreamView],
        controls: &[Defect::FailureFrees, Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial, Stage::AfterEffect)),
    },
    Check {
        id: "broken/runs-again-half-answered",
        level: Level::Must,
        requirement: "If the application breaks off half way through its answer, a repeat is not run again blindly.",
        source: SOURCE,
        needs: &[Need::UpstreamView],
        controls: &[Defect::FailureFrees, Defect::NoDeduplication],
        run: |trial| Box::pin(runs_again(trial, Stage::MidAnswer)),
    },
    Check {
        id: "broken/half-taken-for-whole",
        level: Level::Must,
        requirement: "Half an answer is nobody's whole answer: neither the first request's nor a repeat's.",
        source: "RFC 9112, section 8: incomplete messages",
        needs: &[Need::UpstreamView],
        controls: &[Defect::HalfKept],
        run: |trial| half(trial),
    },
];

/// RFC 9110, section 9.2.2, lets a proxy repeat only what is idempotent by itself.
const SOURCE: &str = "RFC 9110, section 9.2.2: what is not known not to be applied is not repeated by itself";

async fn runs_again(trial: &mut Trial<'_>, stage: Stage) -> Result<Verdict, Stop> {
    let application = trial.application()?;
    let (request, first) = broken_off(trial, stage).await?;
    let repeat = trial.attempt("its repeat", &request).await?;
    Ok(match application.effects_of(&request.token) {
        0 => Err(Stop::not_observable("the first request did not take effect"))?,
        1 => {
            Verdict::pass(format!("the first request got {}; the repeat got {}", told(&first), told(&repeat)))
        }
        effects => Verdict::fail(
            "one effect: nobody knows that the first was not applied",
            format!(
                "{effects} effects; the first request got {}, the repeat {}",
                told(&first),
                told(&repeat)
            ),
        ),
    })
}

fn half<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let (request, first) = broken_off(trial, Stage::MidAnswer).await?;
        let repeat = trial.attempt("its repeat", &request).await?;
        let taken = |outcome: &Outcome| {
            outcome.as_ref().is_ok_and(|answer| {
                WHOLE.starts_with(&answer.body) && !answer.body.is_empty() && answer.body != WHOLE
            })
        };
        Ok(match (taken(&first), taken(&repeat)) {
            (false, false) => {
                Verdict::pass(format!("{} at first, {} for the repeat", told(&first), told(&repeat)))
            }
            (true, _) => Verdict::fail("no whole answer for the first request", told(&first)),
            (false, true) => Verdict::fail("no whole answer for the repeat", told(&repeat)),
        })
    })
}

/// What the application would answer.
const WHOLE: &[u8] =
    br#"{"state":"applied","account":"the first half of this is not the whole of it","amount":100}"#;

/// A request whose first arrival is broken off there, and what its client got.
async fn broken_off(trial: &mut Trial<'_>, stage: Stage) -> Result<(Request, Outcome), Stop> {
    let act = Act::usual().with_body(WHOLE).cut(stage);
    let request = trial.scripted(Script::first(act))?;
    let what = format!("a first request; the application breaks off {stage}");
    let first = trial.attempt(&what, &request).await?;
    Ok((request, first))
}

fn told(outcome: &Result<crate::call::Answer, Lost>) -> String {
    match outcome {
        Ok(answer) => answer.to_string(),
        Err(lost) => lost.to_string(),
    }
}
