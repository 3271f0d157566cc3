//! `keys forget`: removes the result of an operation that has ended. Its key stays taken.

use clap::Args;
use http::Method;
use serde_json::json;

use super::{
    Session,
    failure::Failure,
    nearby,
    operation::{One, Operation, path},
    operation_ref,
};
use crate::exit::Exit;

#[derive(Args)]
pub(super) struct Arguments {
    /// The operation: op_…
    #[arg(value_name = "OPERATION", value_parser = operation_ref)]
    operation: String,
    /// Why, for the audit
    #[arg(long)]
    reason: String,
    /// The fence that you saw; without it, the one that stands now is shown and used
    #[arg(long)]
    fence: Option<u32>,
    /// Who you are, for the audit [default: $USER, or $LOGNAME]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let by = session.signed_by(arguments.by.as_deref())?;
    let seen: Operation = nearby::found(&arguments.operation, &session.client).await?;
    writeln!(session.err, "{}", seen.line())?;
    let fence = arguments.fence.unwrap_or(seen.fence);
    let body = json!({ "state": seen.state, "fence": fence, "reason": arguments.reason, "by": by });
    let One { operation } =
        session.client.send::<One<Operation>>(Method::DELETE, &path(&arguments.operation), &body).await?;
    writeln!(session.out, "{}  {}", operation.operation_ref, operation.standing())?;
    Ok(Exit::Done)
}
