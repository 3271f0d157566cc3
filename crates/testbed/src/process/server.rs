//! One child process.

use std::{
    ffi::OsStr,
    io, iter,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::transcript::Transcript;

/// How long a server may take to say that it is ready.
pub const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long a process may take to end.
pub const EXIT_LIMIT: Duration = Duration::from_secs(120);
/// How long the pipes of an ended process may stay open (a child of its own may hold them).
const PIPE_LIMIT: Duration = Duration::from_secs(5);
/// How often, and how far apart, the kernel is asked whether a process has stopped.
const STOP_CHECKS: usize = 1_000;
const STOP_PAUSE: Duration = Duration::from_millis(5);

/// A child process; it is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    stdout: Transcript,
    stderr: Transcript,
}

impl Server {
    /// Starts `program` with these arguments, and with `env` on top of the environment of the test.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn<A: AsRef<OsStr>, K: AsRef<OsStr>, V: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut command = std::process::Command::new(program);
        command.args(args).envs(env);
        Self::spawn_command(command)
    }

    /// Starts a command prepared elsewhere (its directory, a cleared environment, a tracer around it). Its
    /// standard streams are replaced: nothing in, both outputs captured.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn_command(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let pid = child.id().expect("a child that nobody has awaited has a pid");
        let (stdout, stderr) = (Transcript::default(), Transcript::default());
        tokio::spawn(stdout.clone().collect(child.stdout.take().expect("stdout is a pipe")));
        tokio::spawn(stderr.clone().collect(child.stderr.take().expect("stderr is a pipe")));
        Self { child, pid, stdout, stderr }
    }

    /// Waits until a line on either output contains `pattern`, within [`READY_LIMIT`], and returns it. Lines
    /// written before count.
    ///
    /// # Panics
    /// With all that was written, if both outputs end or the limit runs out before.
    pub async fn ready(&self, pattern: &str) -> String {
        self.line(pattern, READY_LIMIT).await.unwrap_or_else(|| {
            panic!(
                "no line with {pattern:?} from process {} within {READY_LIMIT:?}:\n{}",
                self.pid,
                self.output()
            )
        })
    }

    /// The first line on either output that contains `pattern`; `None` if both end or `limit` runs out
    /// before.
    pub async fn line(&self, pattern: &str, limit: Duration) -> Option<String> {
        let either = async {
            let (out, err) = (self.stdout.find(pattern), self.stderr.find(pattern));
            tokio::pin!(out, err);
            tokio::select! {
                found = &mut out => match found { None => err.await, some => some },
                found = &mut err => match found { None => out.await, some => some },
            }
        };
        timeout(limit, either).await.ok().flatten()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The lines written to standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// The lines written to standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// `SIGKILL`; returns when the process is gone and its sockets are closed.
    pub async fn kill9(&mut self) -> ExitStatus {
        // It may have ended by itself, which is as gone as this would make it.
        let _ = self.signal(Signal::KILL);
        self.wait().await
    }

    /// `SIGTERM`; returns at once. An error says that the process has ended before.
    pub fn sigterm(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// `SIGINT`; returns at once. An error says that the process has ended before.
    pub fn sigint(&self) -> io::Result<()> {
        self.signal(Signal::INT)
    }

    /// `SIGSTOP`; returns when the process stands still.
    ///
    /// # Panics
    /// If it does not.
    pub async fn sigstop(&self) {
        self.signal(Signal::STOP).expect("only a running process is stopped");
        for _ in 0..STOP_CHECKS {
            if self.process().is_ok_and(stands_still) {
                return;
            }
            sleep(STOP_PAUSE).await;
        }
        panic!("process {} does not stop", self.pid);
    }

    /// `SIGCONT`; returns at once. An error says that the process has ended before.
    pub fn sigcont(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits for the end of the process, within [`EXIT_LIMIT`], and for all of its output.
    ///
    /// # Panics
    /// With all that was written, if the limit runs out.
    pub async fn wait(&mut self) -> ExitStatus {
        self.wait_for(EXIT_LIMIT).await.unwrap_or_else(|| {
            panic!("process {} still runs after {EXIT_LIMIT:?}:\n{}", self.pid, self.output())
        })
    }

    /// Waits for the end of the process and for all of its output; `None` if `limit` runs out before the end.
    pub async fn wait_for(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = timeout(limit, self.child.wait()).await.ok()?;
        let piped = async { tokio::join!(self.stdout.ended(), self.stderr.ended()) };
        // Whoever holds the pipes longer than their process keeps only its own lines from us.
        let _ = timeout(PIPE_LIMIT, piped).await;
        Some(status.expect("a child can be awaited"))
    }

    /// Whether it still runs (or is stopped).
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_none()
    }

    /// Both outputs as one text, for messages.
    pub fn output(&self) -> String {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let parts = iter::once("--- stdout").chain(stdout.iter().map(String::as_str));
        let parts = parts.chain(["--- stderr"]).chain(stderr.iter().map(String::as_str));
        parts.collect::<Vec<_>>().join("\n")
    }

    /// Only to a process that has not been reaped: its number may be somebody else's afterwards.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.process()?, signal)?)
    }

    fn process(&self) -> io::Result<Pid> {
        let raw = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        raw.ok_or_else(|| io::Error::other("the process has ended"))
    }
}

/// Whether a process is stopped: by the letter that follows the parenthesised name in `/proc/PID/stat`.
pub(crate) fn stands_still(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const NO_ENV: [(&str, &str); 0] = [];

    fn shell(script: &str) -> Server {
        Server::spawn("sh", ["-c", script], [("GREETING", "hello")])
    }

    #[tokio::test]
    async fn readiness_is_a_line_on_either_output_and_the_exit_code_comes_back() {
        let mut server = shell("echo out; echo $GREETING from $$ >&2; exit 7");
        let line = server.ready("hello").await;
        assert_eq!(line, format!("hello from {}", server.pid()));
        assert_eq!(server.ready("out").await, "out");
        assert_eq!(server.wait().await.code(), Some(7));
        assert_eq!((server.stdout(), server.stderr()), (vec!["out".to_owned()], vec![line]));
        assert!(server.sigterm().is_err(), "no signal goes to a number that may be somebody else's");
    }

    #[tokio::test]
    async fn a_process_that_ends_without_the_line_is_not_ready() {
        let server = shell("echo failed to bind >&2");
        let known = timeout(READY_LIMIT / 6, server.line("listening", READY_LIMIT)).await;
        assert_eq!(known, Ok(None), "it is known before the limit runs out");
        assert!(server.output().contains("failed to bind"));
    }

    #[tokio::test]
    async fn signals_reach_the_process() {
        let mut server = shell("trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        server.ready("ready").await;
        server.sigstop().await;
        server.sigterm().unwrap();
        assert!(server.is_running(), "a stopped process does not act on SIGTERM");
        assert_eq!(server.stdout(), ["ready"]);
        server.sigcont().unwrap();
        assert_eq!(server.wait().await.code(), Some(3));
        assert_eq!(server.stdout(), ["ready", "term"]);
    }

    #[tokio::test]
    async fn kill9_leaves_no_time_for_traps() {
        let mut server = shell("trap 'echo trapped' TERM INT EXIT; echo ready; while :; do sleep 0.01; done");
        server.ready("ready").await;
        assert_eq!(server.kill9().await.signal(), Some(9));
        assert_eq!(server.stdout(), ["ready"]);
        assert!(!server.is_running());
    }

    #[tokio::test]
    async fn a_dropped_server_is_killed() {
        let server = Server::spawn("sleep", ["600"], NO_ENV);
        let pid = server.pid();
        drop(server);
        let gone = async {
            // Until it is reaped it is a zombie, which is dead enough.
            let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            while !stat().is_empty() && !stat().contains(") Z ") {
                tokio::task::yield_now().await;
            }
        };
        timeout(EXIT_LIMIT / 6, gone).await.unwrap();
    }
}
