//! A fixture that is killed for real: this very program, started once more.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use onlyonce_verify::{
    Plan,
    fixture::{self, Defect},
    plan::Operation,
};
use tempfile::TempDir;

/// What a process is told: defect, address, the application in front of which it stands or that it stands in front of
/// none, for how many milliseconds it keeps results (0: for ever), and journal.
const TOLD: &str = "ONLYONCE_FIXTURE";

/// A third of the time for which a request that was told to wait is asked for again: longer than any lock here.
const LEASE: Duration = Duration::from_millis(600);

/// A fixture as a process of its own, with commands to kill and to stop it.
pub(crate) struct Process {
    listen: SocketAddr,
    start: String,
    retention: Option<Duration>,
    directory: TempDir,
}

impl Process {
    pub(crate) fn start(defect: Option<Defect>) -> Self {
        Self::started(defect, "none", None)
    }

    /// One that keeps its results so long, and not for ever.
    pub(crate) fn start_keeping(defect: Option<Defect>, retention: Duration) -> Self {
        Self::started(defect, "none", Some(retention))
    }

    /// One that does nothing itself, and stands in front of an application.
    pub(crate) fn in_front_of(application: SocketAddr, defect: Option<Defect>) -> Self {
        Self::started(defect, &application.to_string(), None)
    }

    fn started(defect: Option<Defect>, application: &str, retention: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let listen = free.local_addr().expect("it is bound");
        let program = std::env::current_exe().expect("a test knows its program");
        let defect = defect.map_or("none".to_owned(), |defect| format!("{defect:?}"));
        let start = format!(
            "{TOLD}='{defect} {listen} {application} {} {}' '{}' --exact process::serves_when_it_is_told_to >/dev/null 2>&1 & echo $! > '{}'",
            retention.unwrap_or_default().as_millis(),
            directory.path().join("journal").display(),
            program.display(),
            pid(&directory).display(),
        );
        drop(free);
        let process = Self { listen, start, retention, directory };
        process.shell(&process.start);
        process
    }

    pub(crate) async fn plan(&self) -> Plan {
        let plan = Plan { retention: self.retention, ..fixture::plan(self.listen) };
        self.with_commands(plan).await
    }

    /// The same, which names a lease as well.
    pub(crate) async fn plan_with_lease(&self) -> Plan {
        let mut plan = self.plan().await;
        plan.key.lease = Some(LEASE);
        plan
    }

    /// The same for what is stopped while it works: its operation takes longer than a busy machine needs to stop it, and
    /// it is waited for.
    pub(crate) async fn plan_to_stop(&self) -> Plan {
        let mut plan = self.plan().await;
        let slower = Operation::parse("POST /transfers?slower=true").expect("it is an operation");
        plan.operations.slow = Some(slower.with_json(r#"{"to":"{{fresh}}","amount":100}"#));
        plan.bounds.patience = Duration::from_secs(30);
        plan
    }

    /// The plan of the upstream view; it names a lease, so that what is refused for ever is not asked for long.
    pub(crate) async fn upstream_plan(&self, application: SocketAddr) -> Plan {
        let target = format!("http://{}", self.listen).parse().expect("it is an address");
        let mut plan = Plan::upstream(&target, application);
        plan.key.lease = Some(LEASE);
        self.with_commands(plan).await
    }

    async fn with_commands(&self, mut plan: Plan) -> Plan {
        let signal =
            |signal: &str| Some(format!("kill -{signal} $(cat '{}')", pid(&self.directory).display()));
        plan.commands.kill = signal("KILL");
        plan.commands.restart = Some(self.start.clone());
        plan.commands.pause = signal("STOP");
        plan.commands.resume = signal("CONT");
        plan.commands.pause_for = Some(Duration::from_millis(150));
        self.until_it_listens().await;
        plan
    }

    async fn until_it_listens(&self) {
        let connected = async {
            while tokio::net::TcpStream::connect(self.listen).await.is_err() {
                // bounded: by the time-out below.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), connected).await.expect("a fixture starts");
    }

    fn shell(&self, command: &str) {
        let status = Command::new("sh").arg("-c").arg(command).status().expect("there is a shell");
        assert!(status.success(), "{command}: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let kill = format!("kill -KILL $(cat '{}')", pid(&self.directory).display());
        drop(Command::new("sh").arg("-c").arg(kill).status());
    }
}

fn pid(directory: &TempDir) -> PathBuf {
    directory.path().join("pid")
}

/// Not a test of its own: what a [`Process`] runs.
#[test]
fn serves_when_it_is_told_to() {
    #[expect(clippy::disallowed_methods, reason = "a process that was started by a test is told by it")]
    let Ok(told) = std::env::var(TOLD) else { return };
    let [defect, listen, application, kept, journal] = told.splitn(5, ' ').collect::<Vec<_>>()[..] else {
        panic!("{TOLD}: {told}");
    };
    let listen = listen.parse().expect("an address");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let kept: u64 = kept.parse().expect("a number");
    let retention = Some(Duration::from_millis(kept)).filter(|kept| !kept.is_zero());
    let (defect, journal) = (Defect::named(defect), Path::new(journal));
    let served = match application.parse() {
        Ok(application) => runtime.block_on(fixture::serve_in_front_of(application, defect, listen, journal)),
        Err(_) => runtime.block_on(fixture::serve(defect, retention, listen, journal)),
    };
    served.expect("it can listen, and write its journal");
}
