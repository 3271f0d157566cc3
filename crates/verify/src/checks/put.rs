//! PUT replaces.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    call::Answer,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "put/repeat-differs",
        level: Level::Must,
        requirement: "The same PUT again succeeds, and leaves what was put as the first one did.",
        source: "RFC 9110, sections 9.2.2 and 9.3.4",
        needs: &[Need::Resource],
        controls: &[Defect::PutAdds],
        run: |trial| repeated(trial),
    },
    Check {
        id: "put/acts-as-patch",
        level: Level::Should,
        requirement: "What a PUT leaves out is gone: it stands for the whole.",
        source: "RFC 9110, section 9.3.4; RFC 5789 for changes of a part",
        needs: &[Need::Resource],
        controls: &[Defect::PutMerges],
        run: |trial| left_out(trial),
    },
];

fn repeated<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let document = trial.new_resource()?;
        let first = trial.put_there(&document).await?;
        let before = trial.read("read it", &document).await?;
        let again = trial.replace("put the same there again", &document, &document.whole, &before).await?;
        if again.status == StatusCode::PRECONDITION_REQUIRED {
            return Err(Stop::not_observable(format!(
                "it demands a version, and its answers have none: {again}"
            )));
        }
        if !again.is_success() {
            return Ok(Verdict::fail(format!("success, as at first: {first}"), again.to_string()));
        }
        let after = trial.read("read it again", &document).await?;
        let put = members(&document.whole)?;
        let differs = |name: &&String| member(&before, name) != member(&after, name);
        Ok(match put.keys().find(differs) {
            None => Verdict::pass("what was put is the same after both"),
            Some(name) => Verdict::fail(
                format!("{name}: {}", member(&before, name).unwrap_or_default()),
                format!("{name}: {} after the same PUT again", member(&after, name).unwrap_or_default()),
            ),
        })
    })
}

fn left_out<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let document = trial.new_resource()?;
        let Some(part) = document.part.clone() else {
            return Err(Stop::not_observable(
                "add `part` to [resource]: a document without one of its members",
            ));
        };
        trial.put_there(&document).await?;
        let before = trial.read("read it", &document).await?;
        let answer = trial.replace("put it there without a member", &document, &part, &before).await?;
        if !answer.is_success() {
            return Err(Stop::not_observable(format!("a part of it is refused: {answer}")));
        }
        let after = trial.read("read it again", &document).await?;
        let (whole, part) = (members(&document.whole)?, members(&part)?);
        let stands = |name: &&String| {
            !part.contains_key(*name)
                && member(&before, name).is_some()
                && member(&before, name) == member(&after, name)
        };
        Ok(match whole.keys().find(stands) {
            None => Verdict::pass("what was left out is gone"),
            Some(name) => Verdict::fail(
                format!("no {name}, which the PUT left out"),
                format!("{name}: {}", member(&after, name).unwrap_or_default()),
            ),
        })
    })
}

fn members(body: &[u8]) -> Result<Map<String, Value>, Stop> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(Stop::not_observable("what the plan puts there is no JSON object")),
    }
}

fn member(answer: &Answer, name: &str) -> Option<Value> {
    answer.json()?.get(name).cloned()
}
