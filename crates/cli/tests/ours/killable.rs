//! A gateway that commands of a plan kill and start again, always at the same address.

use std::{fs, path::PathBuf};

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{self, Request},
    process::Port,
};
use onlyonce_verify::plan::Commands;
use tempfile::TempDir;

/// Dropped, the one that runs is killed.
pub(crate) struct Killable {
    pub(crate) port: Port,
    directory: TempDir,
}

impl Killable {
    /// Starts one in front of `upstream`, with this configuration.
    pub(crate) async fn start(upstream: &str, configuration: &str) -> Self {
        let (port, directory) =
            (Port::reserve(), tempfile::tempdir().expect("there is room for a directory"));
        let at = directory.path().display();
        let script = format!(
            "cd {at} && {} gateway --listen {} --admin off --upstream {upstream} --ledger embedded:{at}/ledger \
             --config {at}/onlyonce.toml >>{at}/log 2>&1 & echo $! >{at}/pid",
            env!("CARGO_BIN_EXE_onlyonce"),
            port.addr(),
        );
        fs::write(directory.path().join("start.sh"), script).expect("the script is written");
        fs::write(directory.path().join("onlyonce.toml"), configuration)
            .expect("the configuration is written");
        let gateway = Self { port, directory };
        let start = std::process::Command::new("sh").arg(gateway.script()).status();
        assert!(
            start.expect("there is a shell").success(),
            "the script ends when it has started the gateway"
        );
        gateway.until_it_answers().await;
        gateway
    }

    pub(crate) fn commands(&self) -> Commands {
        let at = self.directory.path().display();
        Commands {
            kill: Some(format!("kill -KILL $(cat {at}/pid)")),
            restart: Some(format!("sh {}", self.script().display())),
            ..Commands::default()
        }
    }

    fn script(&self) -> PathBuf {
        self.directory.path().join("start.sh")
    }

    async fn until_it_answers(&self) {
        let answers = async {
            while client::send(self.port.addr(), &Request::get("/")).await.is_err() {
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        assert!(tokio::time::timeout(WAIT_LIMIT, answers).await.is_ok(), "it does not start:\n{}", log());
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.directory.path().join("pid")).ok();
        let pid = pid.and_then(|pid| rustix::process::Pid::from_raw(pid.trim().parse().ok()?));
        // One that is gone already needs no end.
        pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok());
    }
}
