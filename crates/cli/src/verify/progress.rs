//! How a run goes, on stderr: one line that is written over on a terminal, a line for each check elsewhere.

use std::io::{self, IsTerminal, Write};

use onlyonce_verify::{Check, report::Finding, run::Observer};

use crate::exit::tell;

pub(super) struct Progress {
    terminal: bool,
    at: String,
}

/// Back to the beginning of the line, and nothing in it (ECMA-48, sections 8.3.15 and 8.3.41).
const CLEAR: &str = "\r\u{1b}[K";

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), at: String::new() }
    }
}

impl Observer for Progress {
    fn begins(&mut self, check: &'static Check, number: usize, of: usize) {
        self.at = format!("[{number}/{of}] {}", check.id);
        if self.terminal {
            // Without a terminal that takes it, the report still comes.
            let _ = write!(io::stderr(), "{CLEAR}{}", self.at).and_then(|()| io::stderr().flush());
        }
    }

    fn ended(&mut self, finding: &Finding) {
        let _ = match self.terminal {
            true => write!(io::stderr(), "{CLEAR}"),
            false => writeln!(io::stderr(), "{}: {}", self.at, finding.verdict),
        };
    }

    fn command_failed(&mut self, line: &str) {
        if self.terminal {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
        tell(&format!("a command of the plan failed: {line}"));
        if self.terminal {
            let _ = write!(io::stderr(), "{}", self.at).and_then(|()| io::stderr().flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}
