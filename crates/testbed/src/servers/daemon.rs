//! One server process in its place, on its port.

use std::{
    net::SocketAddr,
    ops::AsyncFn,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{place::Place, probe::Probe};
use crate::process::{Port, stands_still};

/// How long a server may take until it answers.
pub const UP_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to end, or to stand still.
pub const GONE_LIMIT: Duration = Duration::from_secs(60);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A running or stopped server; dropped, it is gone with its data.
///
/// Signals go to the server and to all processes that it has started. After a failed test the end of its log is shown.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    place: Place,
    port: Port,
    command: Command,
    probe: Probe,
    /// What ends it in an orderly way.
    term: Signal,
    child: Option<Child>,
}

impl Daemon {
    /// Starts the server; returns when it answers.
    ///
    /// # Panics
    /// With its log, if it ends or does not answer within [`UP_LIMIT`].
    pub(super) async fn start(
        name: &'static str,
        place: Place,
        port: Port,
        command: Command,
        probe: Probe,
        term: Signal,
    ) -> Self {
        let mut daemon = Self { name, place, port, command, probe, term, child: None };
        daemon.restart().await;
        daemon
    }

    /// Starts it again on the same data and port, after an orderly stop if it runs; returns when it answers.
    ///
    /// # Panics
    /// With its log, if it ends or does not answer within [`UP_LIMIT`].
    pub async fn restart(&mut self) {
        self.stop().await;
        let child = self.command.spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("failed to start {}: {error}", self.name)));
        let end = Instant::now() + UP_LIMIT;
        while !self.probe.is_answered(self.addr()).await {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status} in place of answering:\n{}", self.name, self.log());
            }
            assert!(
                Instant::now() < end,
                "{} did not answer within {UP_LIMIT:?}:\n{}",
                self.name,
                self.log()
            );
            sleep(PAUSE).await;
        }
    }

    /// Stops it in an orderly way; returns when all its processes are gone.
    ///
    /// # Panics
    /// With its log, if that takes longer than [`GONE_LIMIT`].
    pub async fn stop(&mut self) {
        self.sigcont();
        self.signal(self.term);
        self.gone().await;
    }

    /// `SIGKILL` to all its processes; returns when they are gone.
    ///
    /// # Panics
    /// With its log, if that takes longer than [`GONE_LIMIT`].
    pub async fn kill9(&mut self) {
        // Standing still it starts nothing that would be missed.
        self.signal(Signal::STOP);
        self.place.signal(Signal::KILL);
        self.signal(Signal::KILL);
        self.gone().await;
    }

    /// `SIGSTOP` to all its processes; returns when they stand still. Connections are still accepted, by the kernel, and
    /// nothing answers.
    ///
    /// # Panics
    /// With its log, if that takes longer than [`GONE_LIMIT`].
    pub async fn sigstop(&self) {
        // The first one first: standing still it starts no other.
        self.signal(Signal::STOP);
        self.until("stand still", async || {
            self.place.signal(Signal::STOP);
            self.place.processes().into_iter().all(stands_still)
        })
        .await;
    }

    /// `SIGCONT` to all its processes.
    pub fn sigcont(&self) {
        self.place.signal(Signal::CONT);
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// Its first process, where it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.place.log()
    }

    /// Its place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    async fn gone(&mut self) {
        let end = Instant::now() + GONE_LIMIT;
        while self.child.is_some() && self.ended().is_none() {
            assert!(Instant::now() < end, "{} still runs after {GONE_LIMIT:?}:\n{}", self.name, self.log());
            sleep(PAUSE).await;
        }
        self.child = None;
        self.until("be gone", async || self.place.processes().is_empty()).await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let end = Instant::now() + GONE_LIMIT;
        while !holds().await {
            assert!(
                Instant::now() < end,
                "not all processes of {} {what} within {GONE_LIMIT:?}:\n{}",
                self.name,
                self.log()
            );
            sleep(PAUSE).await;
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child can be asked for"))
    }

    /// Only to a process that has not been reaped: its number may be somebody else's afterwards.
    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stderr, reason = "the test's own output, beside what it failed with")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.log());
        }
        self.place.end();
        if let Some(child) = &mut self.child {
            // The guard has ended it; this only takes it off the list of processes.
            let _ = child.wait();
        }
    }
}
