//! Settles what a filter finds: shows it, asks, and settles exactly what it showed.

use std::io;

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Arguments, Said, named};
use crate::{
    exit::Exit,
    keys::{Session, client::CallError, failure::Failure, list::Filter, nearby, operation::Operation, table},
};

/// Most pages that are asked for: a million operations.
const PAGES_MAX: usize = 1_000;
/// The most that the admin API judges at once.
const PAGE: usize = 1_000;
/// How many settlements pass between two signs of life.
const PROGRESS: usize = 200;

/// What the filter finds.
#[derive(Default)]
struct Found {
    would_settle: Vec<Operation>,
    left_alone: Vec<Left>,
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(flatten)]
    said: Said<'a>,
    filter: &'a Filter,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    would_settle: Vec<Operation>,
    left_alone: Vec<Left>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Left {
    why: String,
    operation: Operation,
}

pub(super) async fn run(arguments: &Arguments, by: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let found = find(arguments, by, session).await?;
    let Found { would_settle, left_alone } = &found;
    if !would_settle.is_empty() {
        let out = if arguments.dry_run { &mut *session.out } else { &mut *session.err };
        table::operations(out, would_settle)?;
        out.flush()?;
    }
    tell_left_alone(left_alone, session)?;
    if would_settle.is_empty() {
        writeln!(session.err, "Nothing to settle: {}.", nothing(&arguments.filter, left_alone.len()))?;
        nearby::tell_routes(&arguments.filter, session).await?;
        return Ok(Exit::Done);
    }
    let count = would_settle.len();
    if arguments.dry_run {
        writeln!(
            session.err,
            "\n{count} would be settled as {}, {} left alone. Nothing was changed.",
            arguments.verdict(),
            left_alone.len()
        )?;
        return Ok(Exit::Done);
    }
    if !arguments.yes && !agreed(count, arguments, session)? {
        writeln!(session.err, "Nothing was changed.")?;
        return Ok(Exit::Failure);
    }
    settle_all(arguments, by, would_settle, session).await
}

async fn find(arguments: &Arguments, by: &str, session: &Session<'_>) -> Result<Found, Failure> {
    let said = Said { dry_run: true, ..arguments.said(by) };
    let mut asked = Asked { said, filter: &arguments.filter, limit: PAGE, after: None };
    let mut found = Found::default();
    for _ in 0..PAGES_MAX {
        let page: Page = session.client.send(Method::POST, "/api/v1/settle", &asked).await?;
        found.would_settle.extend(page.would_settle);
        found.left_alone.extend(page.left_alone);
        if page.next.is_none() {
            break;
        }
        asked.after = page.next;
    }
    found.would_settle.sort_by(|one, other| one.since.cmp(&other.since));
    Ok(found)
}

/// Why there is nothing to settle.
fn nothing(filter: &Filter, left_alone: usize) -> String {
    match (left_alone, filter) {
        (0, Filter { route: Some(_), older_than: None, cause: None }) => {
            "no unknown record on that route".to_owned()
        }
        (0, _) => "no unknown record matches".to_owned(),
        _ => format!("{left_alone} left alone"),
    }
}

fn tell_left_alone(left: &[Left], session: &mut Session<'_>) -> io::Result<()> {
    for Left { why, operation } in left {
        let from = operation.settle.as_ref().and_then(|settle| settle.not_applied_from.as_ref());
        let from = from.map_or_else(String::new, |from| format!(", not-applied from {from}"));
        writeln!(session.err, "left alone: {}  {why}{from}", operation.operation_ref)?;
    }
    Ok(())
}

fn agreed(count: usize, arguments: &Arguments, session: &mut Session<'_>) -> Result<bool, Failure> {
    let Some(ask) = &mut session.ask else { return Ok(false) };
    write!(session.err, "\nSettle {count} as {}? [y/N] ", arguments.verdict())?;
    session.err.flush()?;
    let mut typed = String::new();
    ask.read_line(&mut typed)?;
    Ok(matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn settle_all(
    arguments: &Arguments,
    by: &str,
    shown: &[Operation],
    session: &mut Session<'_>,
) -> Result<Exit, Failure> {
    let said = arguments.said(by);
    let mut settled = 0;
    for (index, seen) in shown.iter().enumerate() {
        match named::settle(&session.client, seen, &said).await {
            Ok(operation) => {
                settled += 1;
                writeln!(session.out, "{}  {}", operation.operation_ref, operation.standing())?;
            }
            // It moved on since it was shown: left alone, like what the filter left alone.
            Err(CallError::Refused(problem)) if problem.is_about_the_operation() => {
                writeln!(session.err, "left alone: {}  {}", seen.operation_ref, problem.name())?;
            }
            Err(error) => {
                writeln!(session.err, "{settled} of {} settled before this:", shown.len())?;
                return Err(error.into());
            }
        }
        if (index + 1) % PROGRESS == 0 {
            writeln!(session.err, "{} of {} done", index + 1, shown.len())?;
        }
    }
    session.out.flush()?;
    writeln!(session.err, "\n{settled} of {} settled as {}.", shown.len(), arguments.verdict())?;
    Ok(Exit::Done)
}
