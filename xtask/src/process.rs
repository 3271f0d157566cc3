//! Child processes: started, awaited within a bound where they could hang, stopped by pid.
//!
//! Invariant: a child that this program starts does not outlive it by our own doing.
//! It never looks for processes by name.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);
/// How long a child has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a command to its end with our own input and output; any status but success is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = line(command);
    let status =
        command.status().map_err(|error| Failure::new(format!("failed to start `{line}`: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}` ended with {status}"))) }
}

/// Whether `program --version` can be started: it is installed and on the search path.
pub(crate) fn exists(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

/// Whether a command starts and succeeds; what it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it, for messages.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A child that is stopped when this value is dropped.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts the command.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let line = line(command);
        let child =
            command.spawn().map_err(|error| Failure::new(format!("failed to start `{line}`: {error}")))?;
        Ok(Self { child })
    }

    /// The child, to take its output from.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the child has ended by itself; `None` when the limit passed first.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            // A child that cannot be waited for has been reaped: nothing is left to wait for either way.
            match self.child.try_wait() {
                Ok(None) if Instant::now() < end => thread::sleep(POLL),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The shell's own `kill`: a minimal Debian has no other, and std can only send SIGKILL.
        let pid = self.child.id().to_string();
        let asked = succeeds(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]));
        if asked && self.wait(GRACE).is_some() {
            return;
        }
        // Both fail only if the child has ended meanwhile.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let failure = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(failure.contains("`sh -c exit 3`") && failure.contains('3'), "{failure}");
    }

    #[test]
    fn a_program_that_is_not_installed_does_not_exist() {
        assert!(!exists("onlyonce-no-such-program"));
    }

    #[test]
    fn waiting_ends_at_its_limit_and_dropping_stops_the_child() {
        let mut running =
            Running::start(Command::new("sh").args(["-c", "read line"]).stdin(piped())).unwrap();
        assert!(running.wait(Duration::from_millis(1)).is_none(), "it reads for ever");
        let pid = running.child().id().to_string();
        drop(running);
        assert!(!succeeds(Command::new("sh").args(["-c", "kill -0 \"$0\"", &pid])), "the pid is gone");
    }

    fn piped() -> std::process::Stdio {
        std::process::Stdio::piped()
    }
}
