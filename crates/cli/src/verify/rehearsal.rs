//! `verify --dry-run`: what would be sent, and what could not be told.

use std::io::{self, Write};

use onlyonce_verify::{Plan, Run};

pub(super) fn write(plan: &Plan, run: &Run<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "To {}, each with fresh values:\n", plan.target)?;
    for (what, line) in run.rehearsed() {
        writeln!(out, "# {what}\n{line}")?;
    }
    let commands = &plan.commands;
    let all = [
        ("kill", &commands.kill),
        ("restart", &commands.restart),
        ("pause", &commands.pause),
        ("resume", &commands.resume),
    ];
    for (name, command) in all {
        if let Some(command) = command {
            writeln!(out, "# to {name} it\n{command}")?;
        }
    }
    if let Some(upstream) = &plan.upstream {
        writeln!(out, "\nAs the application behind it, the verifier would listen on {}.", upstream.listen)?;
    }
    if let Some(sink) = run.sink() {
        writeln!(out, "\nCalls that come back would count as effects: {sink}.")?;
    }
    let bounds = plan.bounds;
    writeln!(out, "\nAt most {} requests, {} at once.", bounds.requests, bounds.at_once)?;
    let (tried, lacking): (Vec<_>, Vec<_>) = run.checks().partition(|(_, lacks)| lacks.is_ok());
    writeln!(out, "\n{} would be tried:", super::checks(tried.len()))?;
    for (check, _) in tried {
        writeln!(out, "  {}", check.id)?;
    }
    if !lacking.is_empty() {
        writeln!(out, "\n{} could not be told:", lacking.len())?;
        let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
        for (check, lacks) in lacking {
            let reason = lacks.err().unwrap_or_default();
            match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, ids)) => ids.push(check.id),
                None => by_reason.push((reason, vec![check.id])),
            }
        }
        for (reason, ids) in by_reason {
            writeln!(out, "  {reason}")?;
            for id in ids {
                writeln!(out, "    {id}")?;
            }
        }
    }
    writeln!(out, "\nNothing was sent.")?;
    out.flush()
}
