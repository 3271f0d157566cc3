//! Settles the operations that are named, one after the other; a refusal of one does not keep the next from its turn.

use http::Method;
use serde::Serialize;

use super::{Arguments, Said};
use crate::{
    exit::Exit,
    keys::{
        Session,
        client::{CallError, Client, Problem},
        failure::Failure,
        nearby,
        operation::{One, Operation, path},
    },
};

pub(super) async fn run(arguments: &Arguments, by: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let said = arguments.said(by);
    let mut refused = 0;
    for reference in &arguments.operations {
        match one(arguments, reference, &said, session).await {
            Ok(()) => {}
            Err(CallError::Refused(problem)) if problem.is_about_the_operation() => {
                refused += 1;
                tell(reference, &problem, session).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if refused == 0 { Exit::Done } else { Exit::Failure })
}

async fn one(
    arguments: &Arguments,
    reference: &str,
    said: &Said<'_>,
    session: &mut Session<'_>,
) -> Result<(), CallError> {
    let seen: One<Operation> = session.client.get(&path(reference)).await?;
    let mut seen = seen.operation;
    writeln!(session.err, "{}", seen.line()).map_err(Failure::from)?;
    if let Some(fence) = arguments.fence {
        // What was seen when it was decided is what the command line says.
        seen.fence = fence;
        "unknown".clone_into(&mut seen.state);
    }
    let settled = settle(&session.client, &seen, said).await?;
    let told = if arguments.dry_run {
        writeln!(session.out, "{reference}  would be settled as {}", arguments.verdict())
    } else {
        writeln!(session.out, "{reference}  {}", settled.standing())
    };
    told.map_err(|error| Failure::from(error).into())
}

#[derive(Serialize)]
struct Settlement<'a> {
    #[serde(flatten)]
    said: &'a Said<'a>,
    state: &'a str,
    fence: u32,
}

/// Settles with the state and fence that were seen.
pub(super) async fn settle(
    client: &Client,
    seen: &Operation,
    said: &Said<'_>,
) -> Result<Operation, CallError> {
    let Operation { state, fence, operation_ref, .. } = seen;
    let settlement = Settlement { said, state, fence: *fence };
    let path = format!("{}/settle", path(operation_ref));
    let settled: One<Operation> = client.send(Method::POST, &path, &settlement).await?;
    Ok(settled.operation)
}

async fn tell(reference: &str, problem: &Problem, session: &mut Session<'_>) -> Result<(), Failure> {
    writeln!(session.err, "error: {reference}: {}", problem.text())?;
    if problem.name() == "record-moved" {
        writeln!(session.err, "\nhint: onlyonce keys show {reference}")?;
    }
    if problem.name() == "not-found"
        && let Some(hint) = nearby::operations(reference, &session.client).await
    {
        writeln!(session.err, "\nhint: {hint}")?;
    }
    Ok(())
}
