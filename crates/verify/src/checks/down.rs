//! An application that is not there.

use crate::{
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[Check {
    id: "down/key-stuck",
    level: Level::Must,
    requirement: "If the application cannot be connected to, nothing was done: the key is free, and a repeat is carried out.",
    source: "RFC 9110, section 9.2.2: what is known not to be applied may be sent again",
    needs: &[Need::UpstreamView],
    controls: &[Defect::UnreachedKept],
    run: |trial| key_stuck(trial),
}];

fn key_stuck<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let application = trial.application()?;
        let request = trial.operation()?;
        let failed =
            |error: std::io::Error| Stop::not_observable(format!("the application cannot listen: {error}"));
        application.down().await.map_err(failed)?;
        let refused =
            trial.attempt("a first request, while the application refuses connections", &request).await;
        application.up().await.map_err(failed)?;
        let refused = match refused? {
            Ok(answer) if answer.is_success() => {
                return Ok(Verdict::fail("a failure: nothing was done", answer.to_string()));
            }
            Ok(answer) => answer.to_string(),
            Err(lost) => lost.to_string(),
        };
        let repeat = trial.attempt("its repeat, when the application is back", &request).await?;
        let told = repeat.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        Ok(match application.effects_of(&request.token) {
            1 if repeat.is_ok_and(|answer| answer.is_success()) => {
                Verdict::pass(format!("{refused} while it was away; then {told}"))
            }
            1 => Verdict::fail("the answer of the application", told),
            0 => Verdict::fail(
                "the repeat is carried out",
                format!("{refused} while it was away; then {told}"),
            ),
            effects => Verdict::fail("one effect", format!("{effects} effects")),
        })
    })
}
