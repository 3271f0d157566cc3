//! `keys list`: what is open, oldest first.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Session,
    client::{Client, encoded},
    failure::Failure,
    nearby,
    operation::Operation,
    table,
};
use crate::exit::Exit;

/// Most pages that are asked for: a million operations.
const PAGES_MAX: usize = 1_000;

#[derive(Args)]
pub(super) struct Arguments {
    /// Only those in this state
    #[arg(long)]
    state: Option<Open>,
    #[command(flatten)]
    filter: Filter,
    /// One JSON object per line, as the admin API gives it
    #[arg(long)]
    json: bool,
}

/// Which operations.
#[derive(Args, Serialize)]
pub(super) struct Filter {
    /// Only those of this route, as the configuration writes it: 'POST /transfers'
    #[arg(long, value_name = "ROUTE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<String>,
    /// Only those that have been in their state for this long: 30s, 5m, 1h, 7d
    #[arg(long, value_name = "AGE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) older_than: Option<String>,
    /// Only unknowns of this cause: answer-lost, deadline, lapsed, process-gone, answered, handler, drained,
    /// rerun-refused
    #[arg(long, value_name = "CAUSE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Open {
    Unknown,
    InProgress,
}

#[derive(Deserialize)]
struct Page {
    operations: Vec<Value>,
    next: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut found = all(&session.client, &arguments.query()).await?;
    found.sort_by(|(one, _), (other, _)| {
        (&one.since, &one.operation_ref).cmp(&(&other.since, &other.operation_ref))
    });
    if arguments.json {
        for (_, value) in found {
            writeln!(session.out, "{value}")?;
        }
        return Ok(Exit::Done);
    }
    let operations: Vec<_> = found.into_iter().map(|(operation, _)| operation).collect();
    if !operations.is_empty() {
        table::operations(session.out, &operations)?;
    }
    session.out.flush()?;
    writeln!(session.err, "{}", summary(&operations, &arguments.filter))?;
    if operations.is_empty() {
        nearby::tell_routes(&arguments.filter, session).await?;
    }
    Ok(Exit::Done)
}

impl Filter {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.route.is_none() && self.older_than.is_none() && self.cause.is_none()
    }
}

impl Arguments {
    fn query(&self) -> String {
        let state = self.state.map(|state| match state {
            Open::Unknown => "unknown".to_owned(),
            Open::InProgress => "in-progress".to_owned(),
        });
        let Filter { route, older_than, cause } = &self.filter;
        [("state", &state), ("route", route), ("older_than", older_than), ("cause", cause)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("&{name}={}", encoded(value.as_ref()?))))
            .collect()
    }
}

async fn all(client: &Client, query: &str) -> Result<Vec<(Operation, Value)>, Failure> {
    let mut found = Vec::new();
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let page: Page = client.get(&format!("/api/v1/records?limit=1000{query}{after}")).await?;
        for value in page.operations {
            found.push((Operation::understood(&value)?, value));
        }
        let Some(next) = page.next else { break };
        after = format!("&after={}", encoded(&next));
    }
    Ok(found)
}

fn summary(operations: &[Operation], filter: &Filter) -> String {
    let count = |state| operations.iter().filter(|operation| operation.state == state).count();
    match (count("unknown"), count("in-progress")) {
        (0, 0) if filter.is_empty() => "Nothing is open.".to_owned(),
        (0, 0) => "Nothing that matches is open.".to_owned(),
        (0, running) => format!("\n{running} in progress."),
        (unknown, running) => format!(
            "\n{unknown} unknown, {running} in progress.\n\nhint: `onlyonce keys show op_…` says what is known of one and \
             how to end it"
        ),
    }
}
