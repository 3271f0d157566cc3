//! Gateways that commands of a plan kill and start again, always at the same address.

use std::{fs, net::SocketAddr};

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
    balancer: Option<Balancer>,
    dies: Dies,
    directory: TempDir,
}

/// Who dies of a kill, and is started again.
#[derive(Clone, Copy, Debug)]
enum Dies {
    /// All at once, as a machine dies.
    All,
    /// The one that serves; the other one goes on, and serves from then on.
    WhoServes,
}

impl Killable {
    /// Starts one in front of `upstream`, with this configuration and an embedded ledger.
    pub(crate) async fn start(upstream: &str, configuration: &str) -> Self {
        let (port, directory) = (Port::reserve(), directory());
        let ledger = format!("embedded:{}/ledger", directory.path().display());
        let gateway =
            Self { address: port.addr(), ports: vec![port], balancer: None, dies: Dies::All, directory };
        gateway.begin(upstream, configuration, &ledger).await
    }

    /// Starts two on this ledger, which are asked one after the other behind one address and die together.
    pub(crate) async fn two(upstream: &str, configuration: &str, ledger: &str) -> Self {
        let ports = vec![Port::reserve(), Port::reserve()];
        let balancer = Balancer::start(ports.iter().map(Port::addr).collect()).await;
        Self::behind(balancer, ports, Dies::All).begin(upstream, configuration, ledger).await
    }

    /// Starts two on this ledger, of which one is asked until it dies, and from then on the other one.
    pub(crate) async fn one_beside_another(upstream: &str, configuration: &str, ledger: &str) -> Self {
        let ports = vec![Port::reserve(), Port::reserve()];
        let balancer = Balancer::staying(ports.iter().map(Port::addr).collect()).await;
        Self::behind(balancer, ports, Dies::WhoServes).begin(upstream, configuration, ledger).await
    }

    fn behind(balancer: Balancer, ports: Vec<Port>, dies: Dies) -> Self {
        Self { address: balancer.addr(), ports, balancer: Some(balancer), dies, directory: directory() }
    }

    /// How often another one went on in place of the one that had died.
    pub(crate) fn moves(&self) -> usize {
        self.balancer.as_ref().map_or(0, Balancer::moves)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn commands(&self) -> Commands {
        let at = self.directory.path().display();
        let (kill, restart) = match self.dies {
            Dies::All => (
                format!("kill -KILL $(cat {at}/*.pid)"),
                format!("for start in {at}/*.sh; do sh $start; done"),
            ),
            Dies::WhoServes => (
                format!("kill -KILL $(cat {at}/$(cat {at}/serves).pid)"),
                format!("cd {at} && one=$(cat serves) && sh $one.sh && echo $((1 - one)) >serves"),
            ),
        };
        Commands { kill: Some(kill), restart: Some(restart), ..Commands::default() }
    }

    async fn begin(self, upstream: &str, configuration: &str, ledger: &str) -> Self {
        let at = self.directory.path();
        let write =
            |name: &str, text: &str| fs::write(at.join(name), text).expect("there is room for a file");
        write("onlyonce.toml", configuration);
        write("serves", "0");
        for (number, port) in self.ports.iter().enumerate() {
            let (program, listen) = (env!("CARGO_BIN_EXE_onlyonce"), port.addr());
            let script = format!(
                "cd {} && ONLYONCE_SECRET='{SECRET}' {program} gateway --listen {listen} --admin off --upstream {upstream} \
                 --ledger '{ledger}' --config onlyonce.toml >>log 2>&1 &\necho $! >{}/{number}.pid\n",
                at.display(),
                at.display(),
            );
            write(&format!("{number}.sh"), &script);
            let start = std::process::Command::new("sh").arg(at.join(format!("{number}.sh"))).status();
            assert!(
                start.expect("there is a shell").success(),
                "the script ends when it has started the gateway"
            );
        }
        for port in &self.ports {
            self.until_it_answers(port.addr()).await;
        }
        self
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
        let pids = (0..self.ports.len()).filter_map(|number| {
            let pid = fs::read_to_string(self.directory.path().join(format!("{number}.pid"))).ok()?;
            rustix::process::Pid::from_raw(pid.trim().parse().ok()?)
        });
        for pid in pids {
            // One that is gone already needs no end.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
