//! Gateways that commands of a plan kill and start again, always at the same address.

use std::{fmt::Write as _, fs, net::SocketAddr, path::PathBuf};

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{self, Request},
    process::Port,
    proxy::Balancer,
};
use onlyonce_verify::plan::Commands;
use tempfile::TempDir;

/// The secret of a ledger that several gateways share.
const SECRET: &str = "the secret of a ledger that is verified";

/// Dropped, those that run are killed.
pub(crate) struct Killable {
    address: SocketAddr,
    /// They are kept for gateways to come.
    ports: Vec<Port>,
    _balancer: Option<Balancer>,
    directory: TempDir,
}

impl Killable {
    /// Starts one in front of `upstream`, with this configuration and an embedded ledger.
    pub(crate) async fn start(upstream: &str, configuration: &str) -> Self {
        let (port, directory) = (Port::reserve(), directory());
        let ledger = format!("embedded:{}/ledger", directory.path().display());
        let gateway = Self { address: port.addr(), ports: vec![port], _balancer: None, directory };
        gateway.begin(upstream, configuration, &ledger).await
    }

    /// Starts two on this ledger, one after the other behind one address.
    pub(crate) async fn two(upstream: &str, configuration: &str, ledger: &str) -> Self {
        let ports = vec![Port::reserve(), Port::reserve()];
        let balancer = Balancer::start(ports.iter().map(Port::addr).collect()).await;
        let gateways =
            Self { address: balancer.addr(), ports, _balancer: Some(balancer), directory: directory() };
        gateways.begin(upstream, configuration, ledger).await
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All at once, as a machine dies.
    pub(crate) fn commands(&self) -> Commands {
        Commands {
            kill: Some(format!("kill -KILL $(cat {}/pids)", self.directory.path().display())),
            restart: Some(format!("sh {}", self.script().display())),
            ..Commands::default()
        }
    }

    async fn begin(self, upstream: &str, configuration: &str, ledger: &str) -> Self {
        let at = self.directory.path().display();
        let mut script = format!("cd {at} && rm -f pids\n");
        for port in &self.ports {
            writeln!(
                script,
                "ONLYONCE_SECRET='{SECRET}' {} gateway --listen {} --admin off --upstream {upstream} --ledger '{ledger}' \
                 --config {at}/onlyonce.toml >>{at}/log 2>&1 & echo $! >>{at}/pids",
                env!("CARGO_BIN_EXE_onlyonce"),
                port.addr(),
            )
            .expect("strings can be written to");
        }
        fs::write(self.script(), script).expect("the script is written");
        fs::write(self.directory.path().join("onlyonce.toml"), configuration)
            .expect("the configuration is written");
        let start = std::process::Command::new("sh").arg(self.script()).status();
        assert!(
            start.expect("there is a shell").success(),
            "the script ends when it has started the gateways"
        );
        for port in &self.ports {
            self.until_it_answers(port.addr()).await;
        }
        self
    }

    fn script(&self) -> PathBuf {
        self.directory.path().join("start.sh")
    }

    async fn until_it_answers(&self, address: SocketAddr) {
        let answers = async {
            while client::send(address, &Request::get("/")).await.is_err() {
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        assert!(tokio::time::timeout(WAIT_LIMIT, answers).await.is_ok(), "it does not start:\n{}", log());
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("there is room for a directory")
}

impl Drop for Killable {
    fn drop(&mut self) {
        let pids = fs::read_to_string(self.directory.path().join("pids")).unwrap_or_default();
        for pid in pids.lines().filter_map(|pid| rustix::process::Pid::from_raw(pid.trim().parse().ok()?)) {
            // One that is gone already needs no end.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
