//! `keys show`: one operation, and what can be done about it.

use std::io;

use clap::Args;
use serde_json::Value;

use super::{
    Session,
    failure::Failure,
    nearby,
    operation::{MayBe, Operation, age, meaning},
    operation_ref,
};
use crate::exit::Exit;

#[derive(Args)]
pub(super) struct Arguments {
    /// The operation: op_…
    #[arg(value_name = "OPERATION", value_parser = operation_ref)]
    operation: String,
    /// As JSON, as the admin API gives it
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let value: Value = nearby::found(&arguments.operation, &session.client).await?;
    if arguments.json {
        writeln!(session.out, "{value:#}")?;
        return Ok(Exit::Done);
    }
    let operation = Operation::understood(&value)?;
    let facts = operation.facts();
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in facts {
        writeln!(session.out, "{name:width$}  {value}")?;
    }
    session.out.flush()?;
    advise(&operation, session)?;
    Ok(Exit::Done)
}

impl Operation {
    /// What is known of it, name by name.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut facts = vec![
            ("operation", self.operation_ref.clone()),
            ("state", format!("{}, since {} ({})", self.state, self.since, age(self.age_seconds))),
        ];
        if let Some(cause) = &self.cause {
            let meaning = meaning(&self.state, cause);
            facts.push((
                "cause",
                if meaning.is_empty() { cause.clone() } else { format!("{cause}: {meaning}") },
            ));
        }
        if let Some(status) = self.seen_status {
            facts.push(("status seen", status.to_string()));
        }
        if let Some(status) = self.status {
            facts.push(("status", status.to_string()));
        }
        if let Some(by) = &self.by {
            facts.push(("outcome by", by.clone()));
        }
        facts.push(("route", self.route.clone()));
        facts.push(("fence", format!("{}, claimed at {}", self.fence, self.attempt_at)));
        if self.fence > 1 {
            facts.push(("first attempt", self.first_attempt_at.clone()));
        }
        for (name, until) in [
            ("ends by", &self.deadline_at),
            ("row until", &self.until),
            ("result until", &self.result_until),
            ("key until", &self.key_until),
        ] {
            if until.is_some() {
                facts.push((name, or_none(until)));
            }
        }
        if let Some(settle) = &self.settle {
            facts.push(("applied", "can be said now".to_owned()));
            facts.push(("not applied", settle.not_applied()));
        }
        if self.on_unknown.as_deref() == Some("rerun") {
            facts.push(("rerun", "a repeat of the key runs it again, from the same time on".to_owned()));
        }
        facts
    }
}

impl MayBe {
    fn not_applied(&self) -> String {
        match self {
            Self { not_applied: true, .. } => "can be said now".to_owned(),
            Self { not_applied_from: Some(from), .. } => {
                format!("from {from}; before that only with --force")
            }
            Self { not_applied_from: None, .. } => {
                "with --force only: the route had no settle_after".to_owned()
            }
        }
    }
}

fn advise(operation: &Operation, session: &mut Session<'_>) -> io::Result<()> {
    let Operation { operation_ref, fence, settle, seen_status, .. } = operation;
    let Some(settle) = settle else {
        return match operation.state.as_str() {
            "in-progress" => writeln!(session.err, "\nhint: an attempt is at work; look again after its end"),
            _ => Ok(()),
        };
    };
    let status = seen_status.filter(|status| (200..400).contains(status)).unwrap_or(201);
    let command = format!("onlyonce keys settle {operation_ref} --fence {fence}");
    let (when, force) = settle.when();
    writeln!(
        session.err,
        "\nhint: look for {operation_ref} in the upstream's own data. If the effect is there:\n  \
         {command} --as applied --status {status} --reason '…'\n\
         if it is not there{when}:\n  \
         {command} --as not-applied{force} --reason '…'"
    )
}

impl MayBe {
    /// When *not applied* is true, and what has to be said with it.
    fn when(&self) -> (String, &'static str) {
        match self {
            Self { not_applied: true, .. } => (String::new(), ""),
            Self { not_applied_from: Some(from), .. } => (format!(", from {from} on"), ""),
            Self { not_applied_from: None, .. } => (
                ", and cannot come because the upstream was stopped or its queue is empty".to_owned(),
                " --force",
            ),
        }
    }
}
