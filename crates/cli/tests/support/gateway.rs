//! A gateway process for end-to-end tests: its own ledger directory, free ports, restarts on the same ledger.

#![allow(dead_code, reason = "each test program uses its part")]

use std::{fmt::Write as _, net::SocketAddr, path::Path, process::Command, time::Duration};

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{self, Request, Response},
    process::Server,
};
use tempfile::TempDir;

/// How far apart an operator's questions are while a test waits for an answer.
const ASK_PAUSE: Duration = Duration::from_millis(5);

/// How a gateway process is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Lines of the configuration file before its first table.
    pub(crate) top: String,
    /// Tables of the configuration file.
    pub(crate) tables: String,
    /// Further arguments.
    pub(crate) arguments: Vec<String>,
    /// The program that starts the gateway, with its arguments, such as a tracer; none: it is started directly.
    pub(crate) under: Vec<String>,
    /// Variables of its environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The URL of its ledger; none: an embedded one of its own.
    pub(crate) ledger: Option<String>,
    /// Where it listens for clients; none: on a free port, another one at each start.
    pub(crate) listen: Option<SocketAddr>,
}

impl Setup {
    /// Everybody is the same principal, and nothing else is set.
    pub(crate) fn anonymous() -> Self {
        Self { tables: "[principal]\nfrom = \"anonymous\"\n".to_owned(), ..Self::default() }
    }

    /// The principal is what the header `x-principal` says.
    pub(crate) fn by_header() -> Self {
        let tables = "[principal]\nfrom = \"header\"\ntrusted = [\"127.0.0.1\"]\n".to_owned();
        Self { tables, ..Self::default() }
    }

    /// With these lines in `[defaults]`.
    #[must_use]
    pub(crate) fn defaults(mut self, lines: &str) -> Self {
        write!(self.tables, "[defaults]\n{lines}\n").expect("strings can be written to");
        self
    }

    /// With this table, or several.
    #[must_use]
    pub(crate) fn table(mut self, lines: &str) -> Self {
        writeln!(self.tables, "{lines}").expect("strings can be written to");
        self
    }

    /// With this line before the first table.
    #[must_use]
    pub(crate) fn top(mut self, line: &str) -> Self {
        writeln!(self.top, "{line}").expect("strings can be written to");
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With its ledger at this URL.
    #[must_use]
    pub(crate) fn ledger(mut self, url: impl Into<String>) -> Self {
        self.ledger = Some(url.into());
        self
    }

    /// Listening for clients at this address, as that of a [`Port`](onlyonce_testbed::process::Port) is.
    #[must_use]
    pub(crate) fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// With this argument.
    #[must_use]
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Started by this command, which must become the gateway (`strace -D`), so that signals reach it.
    #[must_use]
    pub(crate) fn under<A: AsRef<str>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.under = command.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }
}

/// A gateway process. Dropped, it is killed, and its ledger is gone.
pub(crate) struct Gateway {
    pub(crate) process: Server,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) directory: TempDir,
    upstream: String,
    setup: Setup,
}

impl Gateway {
    /// Starts one with a new embedded ledger in front of `upstream`.
    pub(crate) async fn start(upstream: &str, setup: Setup) -> Self {
        Self::start_in(&std::env::temp_dir(), upstream, setup).await
    }

    /// The same with its directory below `parent`.
    pub(crate) async fn start_in(parent: &Path, upstream: &str, setup: Setup) -> Self {
        let directory = tempfile::tempdir_in(parent).expect("there is room for a directory");
        let (process, address, admin) = spawn(directory.path(), upstream, &setup).await;
        Self { process, address, admin, directory, upstream: upstream.to_owned(), setup }
    }

    /// Kills it with SIGKILL and starts another one on the same ledger.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.process.kill9().await;
        self.restart().await;
    }

    /// Starts another one on the same ledger, after this one has ended.
    pub(crate) async fn restart(&mut self) {
        (self.process, self.address, self.admin) =
            spawn(self.directory.path(), &self.upstream, &self.setup).await;
    }

    /// What the next start is done with.
    pub(crate) fn set_up(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// Asks the operators' listener.
    pub(crate) async fn ask(&self, request: &Request) -> Response {
        client::send(self.admin, request).await.expect("operators are served")
    }

    /// Settles an operation by hand.
    pub(crate) async fn settle(&self, reference: &str, decision: &serde_json::Value) -> Response {
        self.ask(&Request::post(format!("/api/v1/records/{reference}/settle")).json(decision)).await
    }

    /// The value of a metric that has no labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.ask(&Request::get("/metrics")).await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name} in\n{text}"))
    }

    /// Waits until the metrics have this line.
    pub(crate) async fn until_shown(&self, sample: &str) {
        let mut last = String::new();
        let is_so = async {
            loop {
                last = self.ask(&Request::get("/metrics")).await.text();
                if last.lines().any(|line| line == sample) {
                    return;
                }
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(ASK_PAUSE).await;
            }
        };
        let waited = tokio::time::timeout(WAIT_LIMIT, is_so).await;
        assert!(waited.is_ok(), "waited {WAIT_LIMIT:?} for {sample} in\n{last}");
    }

    /// Waits until a metric that has no labels says `n`.
    pub(crate) async fn until(&self, name: &str, n: u64) {
        let is_so = async {
            while self.metric(name).await != n {
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(ASK_PAUSE).await;
            }
        };
        let waited = tokio::time::timeout(WAIT_LIMIT, is_so).await;
        assert!(waited.is_ok(), "waited {WAIT_LIMIT:?} for {name} to be {n}");
    }
}

async fn spawn(directory: &Path, upstream: &str, setup: &Setup) -> (Server, SocketAddr, SocketAddr) {
    let config = directory.join("onlyonce.toml");
    std::fs::write(&config, format!("{}\n{}", setup.top, setup.tables))
        .expect("the configuration is written");
    let embedded = || format!("embedded:{}", directory.join("ledger").display());
    let ledger = setup.ledger.clone().unwrap_or_else(embedded);
    let listen = setup.listen.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
    let fixed = [
        "gateway",
        "--listen",
        &listen,
        "--admin",
        "127.0.0.1:0",
        "--upstream",
        upstream,
        "--ledger",
        &ledger,
        "--config",
        config.to_str().expect("temporary paths are text"),
    ];
    let arguments = fixed.into_iter().chain(setup.arguments.iter().map(String::as_str));
    let mut words = setup.under.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_onlyonce")]);
    let mut command = Command::new(words.next().expect("the gateway's own program comes last"));
    command.args(words).args(arguments).env("ONLYONCE_LOG", "warn").envs(setup.environment.iter().cloned());
    let process = Server::spawn_command(command);
    let line = process.ready("listening on http://").await;
    let address = after(&line, "listening on http://");
    // By itself on its line, or the message of a JSON object.
    let tells_admin = |line: &&String| line.starts_with("admin ") || line.contains("\"admin http://");
    let admin = process.stderr().iter().find(tells_admin).map(|line| after(line, "http://"));
    (process, address, admin.expect("the gateway says where operators are served"))
}

fn after(line: &str, prefix: &str) -> SocketAddr {
    let text = line.split(prefix).nth(1).and_then(|rest| rest.split([' ', '"']).next());
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in `{line}`"))
}
