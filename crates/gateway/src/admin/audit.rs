//! What was changed by hand, and which outcomes came after it.

use axum::extract;
use onlyonce_core::Timestamp;
use onlyonce_ledger::{audit::Entry, operator::Entries};
use serde::{Deserialize, Serialize};

use super::{
    State,
    answer::{self, Answer},
    input::{self, Query, Shape},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    before: Option<u64>,
    limit: Option<usize>,
}

impl Shape for Asked {
    const SHAPE: &'static str = "before (a number) and limit.";
}

#[derive(Serialize)]
struct Audit {
    entries: Vec<Numbered>,
    /// The `before` of the next page; absent where there is no older entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
struct Numbered {
    number: u64,
    at: String,
    who: String,
    action: String,
    operation_ref: String,
    before: String,
    after: String,
    why: String,
}

pub(super) async fn page(extract::State(state): extract::State<State>, Query(asked): Query<Asked>) -> Answer {
    let limit = input::limit(asked.limit)?;
    let Entries { entries, next } = state.ledger().audit(asked.before, limit).await?;
    let entries = entries.into_iter().map(|(number, entry)| numbered(number, entry)).collect();
    Ok(answer::json(&Audit { entries, next }))
}

fn numbered(number: u64, entry: Entry) -> Numbered {
    let Entry { at_ms, who, why, action, operation_ref, before, after } = entry;
    let at = Timestamp::from_ms(at_ms).to_string();
    Numbered { number, at, who, action, operation_ref, before, after, why }
}
