//! What becomes of a request while the application still has it.

mod crash;

use crate::{
    call::Who,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    upstream::Stage,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "held/lost-before-effect",
        level: Level::Must,
        requirement: "A client that hangs up before the effect finds the result of its request when it asks again.",
        source: HANG_UP,
        needs: &[Need::UpstreamView],
        controls: &[Defect::LostOnHangUp, Defect::NoDeduplication],
        run: |trial| Box::pin(abandoned(trial, Stage::BeforeEffect)),
    },
    Check {
        id: "held/lost-after-effect",
        level: Level::Must,
        requirement: "A client that hangs up after the effect finds the result of its request when it asks again.",
        source: HANG_UP,
        needs: &[Need::UpstreamView],
        controls: &[Defect::LostOnHangUp, Defect::NoDeduplication],
        run: |trial| Box::pin(abandoned(trial, Stage::AfterEffect)),
    },
    Check {
        id: "held/lost-mid-answer",
        level: Level::Must,
        requirement: "A client that hangs up while the application answers finds the result when it asks again.",
        source: HANG_UP,
        needs: &[Need::UpstreamView],
        controls: &[Defect::LostOnHangUp, Defect::NoDeduplication],
        run: |trial| Box::pin(abandoned(trial, Stage::MidAnswer)),
    },
    Check {
        id: "held/forgotten-at-crash",
        level: Level::Must,
        requirement: "What is killed while the application has a request does not send it again: there is one effect.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, sections 1 and 2.6",
        needs: &[Need::UpstreamView, Need::Kill],
        controls: &[Defect::ForgottenAtCrash, Defect::FreedAfterCrash, Defect::NoDeduplication],
        run: |trial| Box::pin(crash::forgotten(trial)),
    },
    Check {
        id: "held/callers-mixed-up",
        level: Level::Must,
        requirement: "Two callers with the same key at the same time have an operation each, and get its answer.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 5; OWASP API1:2023, Broken Object Level Authorization",
        needs: &[Need::UpstreamView, Need::TwoCredentials],
        controls: &[Defect::CrossPrincipal],
        run: |trial| two_callers(trial),
    },
];

const HANG_UP: &str =
    "draft-ietf-httpapi-idempotency-key-header-07, section 1: a client that lost the answer retries";

async fn abandoned(trial: &mut Trial<'_>, stage: Stage) -> Result<Verdict, Stop> {
    let application = trial.application()?;
    let held = trial.hold(stage).await?;
    let proof = held.proof();
    let request = trial.abandon(held).await;
    let repeat = trial.send("the same again, after the client had hung up", &request).await?;
    let later = trial.until_settled("and once more", &request).await?;
    let (arrivals, effects) =
        (application.arrivals_of(&request.token).len(), application.effects_of(&request.token));
    Ok(match (effects, later.is_success()) {
        (1, true) if arrivals == 1 => {
            proof.map(|()| Verdict::pass(format!("one effect; the repeat got {repeat}")))?
        }
        (1, true) => Verdict::fail("one arrival at the application", format!("{arrivals} arrivals")),
        (0, _) => Verdict::fail("one effect", "none: it was given up with its client"),
        (1, false) => Verdict::fail("the result of the first request", later.to_string()),
        _ => Verdict::fail("one effect", format!("{effects} effects: the repeat ran again")),
    })
}

fn two_callers<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let application = trial.application()?;
        let held = trial.hold(Stage::AfterEffect).await?;
        let request = held.request.clone();
        let foreign = trial.of(&request, Who::Second);
        let foreign =
            trial.attempt("the same key and body of another caller, while it is held", &foreign).await?;
        let proof = held.proof();
        let first = trial.release(held).await;
        let (Ok(first), Ok(foreign)) = (first, foreign) else {
            return Err(Stop::not_observable("one of two callers was not answered"));
        };
        let effects = application.effects_of(&request.token);
        Ok(match effects {
            2 if first.body != foreign.body => {
                proof.map(|()| Verdict::pass("two effects, and an answer for each caller"))?
            }
            2 => Verdict::fail("an answer for each caller", format!("both got {first}")),
            _ => Verdict::fail(
                "two effects, one for each caller",
                format!("{effects}, and the second caller was answered with {foreign}"),
            ),
        })
    })
}
