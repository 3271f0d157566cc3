//! What will be done, said before it is done; and asked, where somebody else's machine is meant.

use std::io::{self, BufRead, IsTerminal, Write};

use onlyonce_verify::{Plan, Run};

use super::Failure;
use crate::exit::{Exit, tell};

/// Says what will be sent; `Err` where it may not be.
pub(super) fn obtain(plan: &Plan, run: &Run<'_>, allowed: &[String]) -> Result<(), Failure> {
    tell(&said(plan, run));
    let host = &plan.target.host;
    if !plan.target.is_loopback() {
        let why = format!("{host} is not this machine");
        asked(host, &why, "if it may be asked, with the effects that each request has", allowed)?;
    }
    if let Some(listen) = run.sink().filter(|sink| !sink.is_loopback()).map(|sink| sink.listen) {
        let why = format!("{listen}, where calls are counted, is reached from other machines");
        asked(&listen.ip().to_string(), &why, "if they may call", allowed)?;
    }
    Ok(())
}

/// Whether a host is allowed, or somebody says so.
fn asked(host: &str, why: &str, hint: &str, allowed: &[String]) -> Result<(), Failure> {
    if allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!(
            "{why}, and there is no terminal to ask on\n\nhint: {hint}: --allow-host {host}"
        )));
    }
    match agreed(why, &mut stdin.lock(), &mut io::stderr())? {
        true => Ok(()),
        false => Err(Failure::Told(Exit::Failure, "nothing was sent".into())),
    }
}

fn said(plan: &Plan, run: &Run<'_>) -> String {
    let all = super::checks(run.checks().count());
    let tried = run.checks().filter(|(_, lacks)| lacks.is_ok()).count();
    let bounds = plan.bounds;
    format!(
        "{tried} of {all} on {} at {}: at most {} requests, {} at once, each with its real effects",
        plan.operations.create, plan.target, bounds.requests, bounds.at_once
    )
}

fn agreed(why: &str, ask: &mut dyn BufRead, err: &mut dyn Write) -> io::Result<bool> {
    write!(err, "{why}. Go on? [y/N] ")?;
    err.flush()?;
    let mut typed = String::new();
    ask.read_line(&mut typed)?;
    if !typed.ends_with('\n') {
        // What follows has a line of its own.
        writeln!(err)?;
    }
    Ok(matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_agrees() {
        let answers = |typed: &str| agreed("example.com", &mut typed.as_bytes(), &mut Vec::new()).unwrap();
        assert!(answers("y\n") && answers(" YES \n"));
        for typed in ["", "\n", "n\n", "yo\n"] {
            assert!(!answers(typed), "{typed:?}");
        }
    }
}
