//! Ends many unknowns at once: those that a filter finds, each by the same rules as one alone.
//!
//! Each is settled with the state and fence that it was found with, so one that moves on in between is left alone. A
//! filter that says nothing is refused: it would be everything.

use axum::extract;
use onlyonce_core::{
    OperationRef, Record, Refusal as Judged, Timestamp,
    event::{Seen, Verdict},
    problem,
    record::StateName,
};
use onlyonce_ledger::{Error, Ledger, audit::Author, operator::Listed};
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;

use super::{
    State,
    answer::{self, Answer, Refusal},
    decision::{As, Said, Signed},
    input::{self, Body, Shape},
    records::{self, Filter, Page},
    settle,
    view::Operation,
};

/// How many are settled together, so that one sync serves them.
const TOGETHER: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    filter: Asked,
    #[serde(rename = "as")]
    as_: As,
    status: Option<u16>,
    #[serde(default)]
    force: bool,
    reason: String,
    by: String,
    #[serde(default)]
    dry_run: bool,
    after: Option<String>,
    limit: Option<usize>,
}

/// Which unknowns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    route: Option<String>,
    older_than: Option<String>,
    cause: Option<String>,
}

impl Shape for Bulk {
    const SHAPE: &'static str = r#"{"filter": {"route": "POST /transfers", "older_than": "1h", "cause": "deadline"}, "as": "not-applied", "reason": "outage 77", "by": "ana", "dry_run": true}; `status`, `force`, `after` and `limit` may be there too."#;
}

/// What became of one of them.
enum Fate {
    /// It is settled, or would be; here it is as it stands then.
    Done(Record),
    /// The record refused; here it is as it was found.
    Left(Judged, Record),
    /// The ledger failed; whether it is settled can be looked up.
    Failed(Record),
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_settle: Option<Vec<Operation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<Vec<Operation>>,
    left_alone: Vec<LeftAlone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One that was left alone, and why: the name of the refusal that it would get by itself.
#[derive(Serialize)]
struct LeftAlone {
    why: &'static str,
    operation: Operation,
}

pub(super) async fn settle(extract::State(state): extract::State<State>, Body(body): Body<Bulk>) -> Answer {
    let filter = filter(body.filter)?;
    let verdict = Said { as_: body.as_, status: body.status, force: body.force }.verdict()?;
    let author = Signed { by: body.by, reason: body.reason }.author()?.by_filter();
    let (after, limit) = (input::after(body.after.as_deref())?, input::limit(body.limit)?);
    let Page { listed, mut next } = records::page(state.ledger(), &filter, after, limit).await?;
    let ledger = state.ledger().clone();
    let fates = if body.dry_run {
        judge_all(listed, verdict, ledger.now())
    } else {
        answer::may_change(&state)?;
        // What was begun is ended, also if whoever asked for it hangs up.
        let settling = tokio::spawn(settle_all(ledger, listed, verdict, author)).await;
        settling.map_err(|_| Error::shutting_down())?
    };
    if fates.iter().any(|(_, fate)| fate.failed()) {
        next = fates.last().map(|(last, _)| *last);
    }
    Ok(answer::json(&report(fates, body.dry_run, next, state.ledger().now())))
}

/// Unknowns only. At least one condition: without any it would be all of them.
fn filter(asked: Asked) -> Result<Filter, Refusal> {
    if asked.route.is_none() && asked.older_than.is_none() && asked.cause.is_none() {
        return Err(Refusal::invalid(
            "`filter` must say something: a route, an age (older_than) or a cause. Nothing was done.",
        ));
    }
    Ok(Filter {
        state: Some(StateName::Unknown),
        route: asked.route,
        older_than: input::older_than(asked.older_than.as_deref())?,
        cause: asked.cause.as_deref().map(records::cause).transpose()?,
    })
}

fn judge_all(listed: Vec<Listed>, verdict: Verdict, now: Timestamp) -> Vec<(OperationRef, Fate)> {
    let judge = |Listed { reference, record }| match settle::judge(&record, as_found(&record), verdict, now) {
        Ok(()) => (reference, Fate::Done(record)),
        Err(refusal) => (reference, Fate::Left(refusal, record)),
    };
    listed.into_iter().map(judge).collect()
}

/// Settles them a few at a time, and stops where the ledger fails.
async fn settle_all(
    ledger: Ledger,
    listed: Vec<Listed>,
    verdict: Verdict,
    author: Author,
) -> Vec<(OperationRef, Fate)> {
    let mut fates = Vec::with_capacity(listed.len());
    for together in listed.chunks(TOGETHER) {
        let begun: Vec<_> = together
            .iter()
            .map(|Listed { reference, record }| {
                let seen = as_found(record);
                let (ledger, reference, author) = (ledger.clone(), *reference, author.clone());
                tokio::spawn(async move { settle::now(&ledger, reference, seen, verdict, author).await })
            })
            .collect();
        for (Listed { reference, record }, settled) in together.iter().zip(begun) {
            fates.push((*reference, fate(settled.await, record)));
        }
        if fates.iter().any(|(_, fate)| fate.failed()) {
            break;
        }
    }
    fates
}

fn fate(settled: Result<Result<Result<Record, Judged>, Error>, JoinError>, found: &Record) -> Fate {
    match settled {
        Ok(Ok(Ok(record))) => Fate::Done(record),
        Ok(Ok(Err(refusal))) => Fate::Left(refusal, found.clone()),
        Ok(Err(_)) | Err(_) => Fate::Failed(found.clone()),
    }
}

fn as_found(record: &Record) -> Seen {
    Seen { state: record.state.name(), fence: record.fence }
}

impl Fate {
    const fn failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

fn report(
    fates: Vec<(OperationRef, Fate)>,
    dry_run: bool,
    next: Option<OperationRef>,
    now: Timestamp,
) -> Report {
    let (mut done, mut left_alone) = (Vec::new(), Vec::new());
    for (reference, fate) in fates {
        let (why, record) = match fate {
            Fate::Done(record) => {
                done.push(Operation::new(reference, &record, now));
                continue;
            }
            Fate::Left(refusal, record) => (answer::why(refusal, reference, &record).name(), record),
            Fate::Failed(record) => (problem::LEDGER_UNAVAILABLE.name, record),
        };
        left_alone.push(LeftAlone { why, operation: Operation::new(reference, &record, now) });
    }
    let (would_settle, settled) = if dry_run { (Some(done), None) } else { (None, Some(done)) };
    Report { dry_run, would_settle, settled, left_alone, next: next.map(|next| next.to_string()) }
}
