//! `verify --list`: all checks.

use std::io::{self, Write};

use onlyonce_verify::Check;

pub(super) fn write(checks: &[&Check], out: &mut dyn Write) -> io::Result<()> {
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
