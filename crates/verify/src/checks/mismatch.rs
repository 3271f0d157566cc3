//! A key stands for one request, and for no other.

use crate::{
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::Verdict,
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.7";

pub(super) const CHECKS: &[Check] = &[Check {
    id: "mismatch/body-ignored",
    level: Level::Must,
    requirement: "A known key with another body is refused; it neither runs nor gets the first request's answer.",
    source: DRAFT,
    needs: &[Need::Counter],
    controls: &[Defect::BodyIgnored, Defect::NoDeduplication],
    run: |trial| body_ignored(trial),
}];

fn body_ignored<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let request = trial.operation()?;
        let before = trial.count().await?;
        trial.carried_out("a first request", &request).await?;
        let other = trial.changed(&request)?;
        let answer = trial.send("the same key with another body", &other).await?;
        let expect = &trial.profile().mismatch;
        match trial.effects_since(before, 1).await? {
            ..=1 => {}
            _ => {
                return Ok(Verdict::fail(
                    format!("{} and no second effect", expect.listed()),
                    format!("a second effect: {answer}"),
                ));
            }
        }
        if answer.is_success() {
            return Ok(Verdict::fail(expect.listed(), format!("success, though it did nothing: {answer}")));
        }
        Ok(expect.judge("a known key with another body", answer.status))
    })
}
