//! `keys settle`: ends unknown outcomes, by name or by filter.
//!
//! However they were found: each is settled by a call of its own with the state and fence that were shown, never with
//! whatever stands by then.

mod filtered;
mod named;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Session, failure::Failure, list::Filter, operation_ref};
use crate::exit::Exit;

/// Who signs what is not done: nothing of it is kept.
const REHEARSAL: &str = "dry run";

#[derive(Args)]
pub(super) struct Arguments {
    /// The operations: op_…; or a filter instead
    #[arg(
        value_name = "OPERATION",
        value_parser = operation_ref,
        conflicts_with_all = ["route", "older_than", "cause"],
    )]
    operations: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// What became of it: the effect is there, or it is not and cannot come any more
    #[arg(long = "as", value_name = "VERDICT")]
    verdict: Verdict,
    /// With --as applied: the status that the upstream would have answered; repeats get it
    #[arg(long, required_if_eq("verdict", "applied"), value_parser = status)]
    status: Option<u16>,
    /// With --as not-applied: do not wait for settle_after, because the upstream cannot do it any more
    #[arg(long)]
    force: bool,
    /// How you know, for the audit
    #[arg(long)]
    reason: String,
    /// The fence that you saw; without it, the one that stands now is shown and used
    #[arg(long, conflicts_with_all = ["route", "older_than", "cause"])]
    fence: Option<u32>,
    /// Who you are, for the audit [default: $USER, or $LOGNAME]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// With a filter: do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Applied,
    NotApplied,
}

/// What the admin API is told.
#[derive(Clone, Serialize)]
struct Said<'a> {
    #[serde(rename = "as")]
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    force: bool,
    reason: &'a str,
    by: &'a str,
    dry_run: bool,
}

pub(super) async fn run(arguments: &Arguments, session: &mut Session<'_>) -> Result<Exit, Failure> {
    arguments.check(session)?;
    let by = match session.signed_by(arguments.by.as_deref()) {
        Err(_) if arguments.dry_run => REHEARSAL.to_owned(),
        signed => signed?,
    };
    if arguments.operations.is_empty() {
        filtered::run(arguments, &by, session).await
    } else {
        named::run(arguments, &by, session).await
    }
}

impl Arguments {
    /// What clap cannot say; what the admin API refuses by itself is not repeated here.
    fn check(&self, session: &Session<'_>) -> Result<(), Failure> {
        if self.operations.is_empty() && self.filter.is_empty() {
            return Err(Failure::usage(
                "nothing says which operations: name them, or choose unknown ones with --route, --older-than or --cause",
            ));
        }
        if self.fence.is_some() && self.operations.len() > 1 {
            return Err(Failure::usage("--fence goes with one operation: each has a fence of its own"));
        }
        let asks = self.operations.is_empty() && !self.dry_run && !self.yes;
        if asks && session.ask.is_none() {
            return Err(Failure::usage("a filter settles many at once, and there is no terminal to ask on")
                .hint("look at them with --dry-run, then settle them with --yes"));
        }
        Ok(())
    }

    /// What is said of each, whatever was seen of it.
    fn said<'a>(&'a self, by: &'a str) -> Said<'a> {
        let Self { verdict, status, force, dry_run, .. } = *self;
        Said { verdict, status, force, reason: &self.reason, by, dry_run }
    }

    /// In words.
    fn verdict(&self) -> String {
        match (self.verdict, self.status) {
            (Verdict::Applied, Some(status)) => format!("applied, {status}"),
            (Verdict::Applied, None) => "applied".to_owned(),
            (Verdict::NotApplied, _) if self.force => "not applied, by force".to_owned(),
            (Verdict::NotApplied, _) => "not applied".to_owned(),
        }
    }
}

fn status(text: &str) -> Result<u16, String> {
    let status = text.parse().ok().filter(|status| (100..600).contains(status));
    status.ok_or_else(|| {
        format!("{text} is no HTTP status; name what the upstream would have answered, such as 201")
    })
}
