//! What will be done, said before it is done; and asked, where somebody else's machine is meant.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    net::SocketAddr,
};

use onlyonce_verify::{Plan, Run};

use super::Failure;
use crate::exit::{Exit, tell};

/// Says what will be sent; `Err` where it may not be.
pub(super) fn obtain(plan: &Plan, run: &Run<'_>, allowed: &[String]) -> Result<(), Failure> {
    tell(&said(plan, run));
    for Beyond { host, why, hint } in beyond_this_machine(plan, run) {
        asked(&host, &why, hint, allowed)?;
    }
    Ok(())
}

/// What reaches another machine, or is reached from one.
struct Beyond {
    host: String,
    why: String,
    hint: &'static str,
}

fn beyond_this_machine(plan: &Plan, run: &Run<'_>) -> Vec<Beyond> {
    let host = &plan.target.host;
    let target = (!plan.target.is_loopback()).then(|| Beyond {
        host: host.clone(),
        why: format!("{host} is not this machine"),
        hint: "if it may be asked, with the effects that each request has",
    });
    // Whoever reaches these can say that something had an effect.
    let reached = |listen: SocketAddr, what: &str, hint| {
        (!listen.ip().is_loopback()).then(|| Beyond {
            host: listen.ip().to_string(),
            why: format!("{listen}, {what}, is reached from other machines"),
            hint,
        })
    };
    let sink = run.sink().map(|sink| sink.listen);
    let sink = sink.and_then(|listen| reached(listen, "where calls are counted", "if they may call"));
    let upstream = plan.upstream.map(|upstream| upstream.listen);
    let upstream = upstream
        .and_then(|listen| reached(listen, "where requests are carried out", "if they may send requests"));
    target.into_iter().chain(sink).chain(upstream).collect()
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
    use onlyonce_verify::run::Selection;

    use super::*;

    #[test]
    fn who_listens_to_other_machines_is_asked_about_as_another_machine_is() {
        let of = |more: &str| {
            let create =
                "[operations.create]\nrequest = \"POST /transfers\"\njson = '{\"to\":\"{{fresh}}\"}'\n";
            let plan = Plan::parse(&format!("target = \"http://127.0.0.1:1\"\n{create}{more}")).unwrap();
            let everything = Selection::default();
            let run = Run::new(&plan, &everything).unwrap();
            beyond_this_machine(&plan, &run).into_iter().map(|beyond| beyond.host).collect::<Vec<_>>()
        };
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(of("[upstream]\nlisten = \"127.0.0.1:2\"\n"), Vec::<String>::new());
        assert_eq!(of("[upstream]\nlisten = \"0.0.0.0:2\"\n"), ["0.0.0.0"]);
    }

    #[test]
    fn only_a_yes_agrees() {
        let answers = |typed: &str| agreed("example.com", &mut typed.as_bytes(), &mut Vec::new()).unwrap();
        assert!(answers("y\n") && answers(" YES \n"));
        for typed in ["", "\n", "n\n", "yo\n"] {
            assert!(!answers(typed), "{typed:?}");
        }
    }
}
