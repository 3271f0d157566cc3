//! The gateway as a user starts it: the released binary, an embedded ledger, flags.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use onlyonce_testbed::process::{Port, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{failure::Failure, fill, system::Processes, upstream};

/// A process that was started to be measured.
pub(crate) struct Running {
    server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) processes: Processes,
    /// From the start of the process to the line that says where it listens.
    pub(crate) started_in: Duration,
    admin: Port,
    _port: Port,
}

impl Running {
    /// Starts a gateway; `settings` are those of its configuration's `[defaults]`.
    pub(crate) async fn start(
        onlyonce: &Path,
        ledger: &Path,
        upstream: SocketAddr,
        settings: &str,
    ) -> Result<Self, Failure> {
        let (port, admin) = (Port::reserve(), Port::reserve());
        let configuration = ledger.with_extension("toml");
        fs::write(&configuration, format!("[defaults]\n{settings}\n"))?;
        let arguments = [
            "gateway".to_owned(),
            format!("--config={}", configuration.display()),
            format!("--listen={}", port.addr()),
            format!("--admin={}", admin.addr()),
            format!("--upstream=http://{upstream}"),
            format!("--ledger=embedded:{}", ledger.display()),
            "--principal=anonymous".to_owned(),
        ];
        let began = Instant::now();
        let server = Server::spawn(onlyonce, arguments, [("ONLYONCE_SECRET", fill::SECRET)]);
        server.ready("listening on").await;
        let started_in = began.elapsed();
        let processes = Processes::of([server.pid()]);
        Ok(Self { server, address: port.addr(), processes, started_in, admin, _port: port })
    }

    /// One of the metrics that it publishes.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64, Failure> {
        let mut stream = TcpStream::connect(self.admin.addr()).await?;
        let host = self.admin.addr();
        stream
            .write_all(
                format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes(),
            )
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.ok_or_else(|| Failure::new(format!("the gateway has no metric {name}:\n{text}")))
    }

    /// Stops it as a user would.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.server.sigterm()?;
        let status = self.server.wait().await;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("the gateway ended with {status}:\n{}", self.server.output()))),
        }
    }
}

/// The bare upstream in a process of its own; it is killed when dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) processes: Processes,
    _server: Server,
}

impl Upstream {
    /// Starts this program again as the upstream.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let server = Server::spawn(std::env::current_exe()?, ["upstream"], [("LC_ALL", "C")]);
        let line = server.ready(upstream::READY).await;
        let address = line.rsplit(' ').next().unwrap_or_default().parse()?;
        Ok(Self { address, processes: Processes::of([server.pid()]), _server: server })
    }
}
