//! `verify --list`: all checks.

use std::io::{self, Write};

use clap::ValueEnum;
use onlyonce_verify::{Check, checks};

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// For a terminal
    Text,
    /// The page of the reference
    Markdown,
}

pub(super) fn write(format: Format, checks: &[&Check], out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => list(checks, out),
        Format::Markdown => out.write_all(checks::page().as_bytes()),
    }
}

fn list(checks: &[&Check], out: &mut dyn Write) -> io::Result<()> {
    for check in checks {
        let needs: Vec<_> = check.needs.iter().map(|need| need.as_str()).collect();
        writeln!(out, "{} ({})", check.id, check.level.as_str())?;
        writeln!(out, "    {}", check.requirement)?;
        writeln!(out, "    source  {}", check.source)?;
        if !needs.is_empty() {
            writeln!(out, "    needs   {}", needs.join(", "))?;
        }
    }
    out.flush()
}
