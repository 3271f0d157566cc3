//! DELETE removes, however often.

use http::{Method, StatusCode};

use crate::{
    call::Who,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[Check {
    id: "delete/second-answer",
    level: Level::Should,
    requirement: "The second DELETE of something is a success, 404 or 410, and it is gone after both.",
    source: "RFC 9110, sections 9.2.2 and 9.3.5",
    needs: &[Need::Resource],
    controls: &[Defect::DeleteFails, Defect::DeleteKeeps],
    run: |trial| second(trial),
}];

fn second<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        if !trial.plan().resource.as_ref().is_some_and(|resource| resource.removable) {
            return Err(Stop::not_observable(
                "it may not be removed: write removable = true into [resource] if it may",
            ));
        }
        let document = trial.new_resource()?;
        trial.put_there(&document).await?;
        let delete = trial.of(&document.request(Method::DELETE), Who::First);
        let first = trial.send("remove it", &delete).await?;
        if !first.is_success() {
            return Err(Stop::not_observable(format!("it cannot be removed: {first}")));
        }
        let second = trial.send("remove it again", &delete).await?;
        let get = trial.of(&document.request(Method::GET), Who::First);
        let after = trial.send("read it", &get).await?;
        let gone = |status| matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
        Ok(match (second.is_success() || gone(second.status), gone(after.status)) {
            (true, true) => Verdict::pass(format!("{}, and it is gone", second.status.as_u16())),
            (false, _) => Verdict::fail("a success, 404 or 410 for the second DELETE", second.to_string()),
            (true, false) => Verdict::fail("404 or 410 when it is read", after.to_string()),
        })
    })
}
