//! Removes the result of an operation that has ended; the key stays taken.

use axum::extract;
use serde::Deserialize;
use serde_json::json;

use super::{
    State,
    answer::{self, Answer},
    decision::{self, Signed},
    input::{Body, Reference, Shape},
    view::Operation,
};

/// What the operator saw, who he is, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forget {
    state: String,
    fence: u32,
    reason: String,
    by: String,
}

impl Shape for Forget {
    const SHAPE: &'static str =
        r#"{"state": "completed", "fence": 1, "reason": "erasure request 12", "by": "ana"}"#;
}

pub(super) async fn forget(
    extract::State(state): extract::State<State>,
    Reference(reference): Reference,
    Body(body): Body<Forget>,
) -> Answer {
    let seen = decision::seen(&body.state, body.fence)?;
    let author = Signed { by: body.by, reason: body.reason }.author()?;
    answer::may_change(&state)?;
    match state.ledger().forget(reference, seen, author).await? {
        Ok(record) => {
            let operation = Operation::new(reference, &record, state.ledger().now());
            Ok(answer::json(&json!({ "operation": operation })))
        }
        Err(judged) => Err(answer::refused(&state, reference, judged).await),
    }
}
