//! Ends one unknown, with the state and fence that the operator saw.

use axum::{extract, response::Response};
use onlyonce_core::{
    Decision, Event, OperationRef, Record, Refusal as Judged, Timestamp, decide,
    event::{self, Seen, Verdict},
    record::Source,
};
use onlyonce_http::stored::Stored;
use onlyonce_ledger::{Error, Ledger, audit::Author, operator::Settlement};
use serde::Deserialize;
use serde_json::json;

use super::{
    State,
    answer::{self, Answer, Refusal},
    decision::{self, As, Said, Signed},
    input::{Body, Reference, Shape},
    view::Operation,
};

/// What became of one operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settle {
    #[serde(rename = "as")]
    as_: As,
    status: Option<u16>,
    state: String,
    fence: u32,
    #[serde(default)]
    force: bool,
    reason: String,
    by: String,
    #[serde(default)]
    dry_run: bool,
}

impl Shape for Settle {
    const SHAPE: &'static str = r#"{"as": "applied", "status": 201, "state": "unknown", "fence": 1, "reason": "row 8123", "by": "ana"} or {"as": "not-applied", "state": "unknown", "fence": 1, "reason": "no row", "by": "ana"}; `force` and `dry_run` may be there too."#;
}

pub(super) async fn settle(
    extract::State(state): extract::State<State>,
    Reference(reference): Reference,
    Body(body): Body<Settle>,
) -> Answer {
    let seen = decision::seen(&body.state, body.fence)?;
    let verdict = Said { as_: body.as_, status: body.status, force: body.force }.verdict()?;
    let author = Signed { by: body.by, reason: body.reason }.author()?;
    if body.dry_run {
        return would(&state, reference, seen, verdict).await;
    }
    answer::may_change(&state)?;
    match now(state.ledger(), reference, seen, verdict, author).await? {
        Ok(record) => Ok(settled(reference, &record, state.ledger().now())),
        Err(judged) => Err(answer::refused(&state, reference, judged).await),
    }
}

fn settled(reference: OperationRef, record: &Record, now: Timestamp) -> Response {
    answer::json(&json!({ "dry_run": false, "operation": Operation::new(reference, record, now) }))
}

async fn would(state: &State, reference: OperationRef, seen: Seen, verdict: Verdict) -> Answer {
    let Some(record) = state.ledger().operation(reference).await? else { return Err(Refusal::not_found()) };
    let now = state.ledger().now();
    match judge(&record, seen, verdict, now) {
        Ok(()) => Ok(answer::json(
            &json!({ "dry_run": true, "operation": Operation::new(reference, &record, now) }),
        )),
        Err(judged) => Err(answer::refused(state, reference, judged).await),
    }
}

/// What the ledger would say, by the same function that it asks.
pub(super) fn judge(record: &Record, seen: Seen, verdict: Verdict, now: Timestamp) -> Result<(), Judged> {
    let event = Event::Settle(event::Settle { by: Source::Operator, seen, verdict });
    match decide(Some(record), &event, now) {
        Decision::Write(_) | Decision::Already => Ok(()),
        Decision::Refuse(refusal) => Err(refusal),
    }
}

/// Settles. The inner error is the record's refusal: nothing changed.
pub(super) async fn now(
    ledger: &Ledger,
    reference: OperationRef,
    seen: Seen,
    verdict: Verdict,
    author: Author,
) -> Result<Result<Record, Judged>, Error> {
    let result = Stored::of_verdict(verdict);
    ledger.settle(reference, Settlement { by: Source::Operator, seen, verdict, result, author }).await
}
