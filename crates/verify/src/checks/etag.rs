//! Versions keep somebody's change from being written over unseen.

use http::{StatusCode, header};
use serde_json::Value;

use crate::{
    call::{Answer, Who},
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::{Document, Trial},
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[Check {
    id: "etag/lost-update",
    level: Level::Must,
    requirement: "A PUT with the version before last in If-Match does not write over the last one: it is refused with 412.",
    source: "RFC 9110, sections 13.1.1 and 13.2",
    needs: &[Need::Resource],
    controls: &[Defect::IfMatchIgnored],
    run: |trial| lost_update(trial),
}];

fn lost_update<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let document = trial.new_resource()?;
        trial.put_there(&document).await?;
        let first = trial.read("read it, with its version", &document).await?;
        let Some(tag) = first.headers.get(header::ETAG).cloned() else {
            return Err(Stop::not_observable("its answers have no ETag"));
        };
        if tag.as_bytes().starts_with(b"W/") {
            return Err(Stop::not_observable("its ETag is weak, and If-Match compares strongly"));
        }
        let changed = document.put(&document.changed).with_header(header::IF_MATCH, tag.clone());
        let changed = trial.of(&changed, Who::First);
        let answer = trial.send("one change of this version", &changed).await?;
        if !answer.is_success() {
            return Ok(Verdict::fail("success: the version is the current one", answer.to_string()));
        }
        let between = trial.read("read it, with its new version", &document).await?;
        if between.headers.get(header::ETAG) == Some(&tag) {
            return Err(Stop::not_observable("its ETag does not change with it"));
        }
        let stale = document.put(&document.whole).with_header(header::IF_MATCH, tag);
        let stale = trial.of(&stale, Who::First);
        let answer = trial
            .send("another change of the first version, by somebody who has not seen the new one", &stale)
            .await?;
        let after = trial.read("read it again", &document).await?;
        let expected = "412, and the first change stands";
        Ok(match (answer.status, stands(&document, &between, &after)) {
            (_, false) => Verdict::fail(expected, format!("{answer}, and the first change is written over")),
            (StatusCode::PRECONDITION_FAILED, true) => Verdict::pass(expected),
            (_, true) => Verdict::Deviates {
                expected: expected.into(),
                actual: format!("{answer}, and the first change stands"),
                like: "APIs that refuse it as a conflict (RFC 9110, section 15.5.10), or merge what was changed apart"
                    .into(),
            },
        })
    })
}

/// Whether all that the first change has put is still there. What else changes in a document, such as the time at which it
/// was read, is nobody's change.
fn stands(document: &Document, between: &Answer, after: &Answer) -> bool {
    let Ok(Value::Object(put)) = serde_json::from_slice(&document.changed) else {
        return between.body == after.body;
    };
    let (Some(between), Some(after)) = (between.json(), after.json()) else {
        return between.body == after.body;
    };
    put.keys().all(|name| between.get(name) == after.get(name))
}
