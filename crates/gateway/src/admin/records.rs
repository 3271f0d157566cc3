//! What is open, and what became of one operation.

use std::time::Duration;

use axum::extract;
use onlyonce_core::{OperationRef, Timestamp, record::StateName, record::UnknownCause};
use onlyonce_ledger::{Error, Ledger, operator::Listed};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    State,
    answer::{self, Answer, Refusal},
    input::{self, Query, Reference, Shape},
    view::{self, Operation},
};

/// Open records that are read at a time.
const PAGE: usize = 1_000;
/// Most open records that one call reads; beyond it the page ends early, and `next` goes on from there.
const READ_MAX: usize = 10_000;

/// Which open records are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) state: Option<StateName>,
    pub(super) route: Option<String>,
    pub(super) older_than: Duration,
    pub(super) cause: Option<UnknownCause>,
}

/// A page of them.
pub(super) struct Page {
    pub(super) listed: Vec<Listed>,
    /// Where to go on; `None` if there are no more.
    pub(super) next: Option<OperationRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    state: Option<String>,
    route: Option<String>,
    older_than: Option<String>,
    cause: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Shape for List {
    const SHAPE: &'static str = "state (unknown or in-progress), route, older_than, cause, after and limit.";
}

#[derive(Serialize)]
struct Operations {
    operations: Vec<Operation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list(extract::State(state): extract::State<State>, Query(query): Query<List>) -> Answer {
    let filter = Filter {
        state: query.state.as_deref().map(open_state).transpose()?,
        route: query.route,
        older_than: input::older_than(query.older_than.as_deref())?,
        cause: query.cause.as_deref().map(cause).transpose()?,
    };
    let (after, limit) = (input::after(query.after.as_deref())?, input::limit(query.limit)?);
    let page = page(state.ledger(), &filter, after, limit).await?;
    let now = state.ledger().now();
    let operations =
        page.listed.iter().map(|listed| Operation::new(listed.reference, &listed.record, now)).collect();
    Ok(answer::json(&Operations { operations, next: page.next.map(|next| next.to_string()) }))
}

pub(super) async fn one(
    extract::State(state): extract::State<State>,
    Reference(reference): Reference,
) -> Answer {
    let Some(record) = state.ledger().operation(reference).await? else { return Err(Refusal::not_found()) };
    let operation = Operation::new(reference, &record, state.ledger().now());
    Ok(answer::json(&json!({ "operation": operation })))
}

/// Reads on until the page is full, there is no more, or enough was read for one call.
pub(super) async fn page(
    ledger: &Ledger,
    filter: &Filter,
    after: Option<OperationRef>,
    limit: usize,
) -> Result<Page, Error> {
    let now = ledger.now();
    let mut listed = Vec::new();
    let mut next = after.map(|reference| reference.record);
    for _ in 0..READ_MAX.div_ceil(PAGE) {
        let read = ledger.open_records(next, PAGE).await?;
        // A short page is no end, nor is an empty one: rows that cannot be read are left out of it.
        if read.next.is_none() {
            return Ok(Page { listed, next: None });
        }
        next = read.next;
        for open in read.listed {
            let reference = open.reference;
            if filter.takes(&open, now) {
                listed.push(open);
            }
            if listed.len() == limit {
                return Ok(Page { listed, next: Some(reference) });
            }
        }
    }
    // Only its record is looked at, and the row may be one that cannot be read.
    let reference = |record| OperationRef { record, first_claim_at: Timestamp::default() };
    Ok(Page { listed, next: next.map(reference) })
}

impl Filter {
    fn takes(&self, open: &Listed, now: Timestamp) -> bool {
        let record = &open.record;
        let cause = match record.state {
            onlyonce_core::State::Unknown { cause, .. } => Some(cause),
            _ => None,
        };
        self.state.is_none_or(|state| record.state.name() == state)
            && self.route.as_ref().is_none_or(|route| record.route == *route)
            && self.cause.is_none_or(|wanted| cause == Some(wanted))
            && now.since(view::since(record)) >= self.older_than
    }
}

fn open_state(text: &str) -> Result<StateName, Refusal> {
    let open = [StateName::Unknown, StateName::InProgress].into_iter().find(|state| state.as_str() == text);
    open.ok_or_else(|| {
        Refusal::invalid(
            "`state` must be unknown or in-progress: only open operations are listed. Ask for one that has ended by \
             its operation_ref, or by principal and key.",
        )
    })
}

/// Reads the cause of an unknown.
pub(super) fn cause(text: &str) -> Result<UnknownCause, Refusal> {
    UnknownCause::parse(text).ok_or_else(|| {
        let known = UnknownCause::ALL.map(UnknownCause::as_str).join(", ");
        Refusal::invalid(format!("`cause` must be one of {known}. Nothing was done."))
    })
}
