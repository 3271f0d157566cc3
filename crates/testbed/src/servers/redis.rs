//! A Redis of one test.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};

use rustix::process::Signal;

pub use super::options::Options;
use super::{account::Account, ask, daemon::Daemon, place::Place, probe::Probe, programs};
use crate::process::Port;

/// What loses nothing that was acknowledged, and keeps the test's machine quiet.
const SETTINGS: &[(&str, &str)] = &[
    ("bind", "127.0.0.1"),
    ("daemonize", "no"),
    ("save", "\"\""),
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("maxmemory-policy", "noeviction"),
];

/// The file, beside its data, of the authority that it trusts.
pub(super) const AUTHORITY: &str = "ca.pem";

/// The port on which one speaks TLS, and whom it trusts where it is one of several.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) port: Port,
    /// The authority of the others' certificates, in PEM: they speak TLS with each other too.
    pub(super) fellows: Option<String>,
}

/// A running Redis; all that can be done to its processes is in [`Daemon`].
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    password: Option<&'static str>,
    tls: Option<Port>,
}

impl Redis {
    /// A new one, which syncs every write.
    ///
    /// # Panics
    /// With its log, if it does not start.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A new one.
    ///
    /// # Panics
    /// With its log, if it does not start.
    pub async fn start_with(options: Options) -> Self {
        let tls = options.certificate.as_ref().map(|_| Tls { port: Port::reserve(), fellows: None });
        Self::start_on(Port::reserve(), tls, options).await
    }

    pub(super) async fn start_on(port: Port, tls: Option<Tls>, options: Options) -> Self {
        let Options { settings, password, certificate } = options;
        let place = Place::new("redis", Account::Ours, "KILL");
        let mut lines = vec![format!("port {}", port.number())];
        lines.extend(SETTINGS.iter().map(|(name, value)| format!("{name} {value}")));
        lines.extend(password.map(|password| format!("requirepass {password}")));
        if let (Some(certificate), Some(tls)) = (certificate, &tls) {
            let (chain, key) = (certificate.chain_pem(), certificate.key_pem());
            lines.push(format!("tls-port {}", tls.port.number()));
            lines.push(format!("tls-cert-file {}", place.write("chain.pem", chain).display()));
            lines.push(format!("tls-key-file {}", place.write("key.pem", key).display()));
            lines.push("tls-auth-clients no".to_owned());
            if let Some(authority) = &tls.fellows {
                lines.push(format!("tls-ca-cert-file {}", place.write(AUTHORITY, authority).display()));
                lines.extend(["tls-cluster yes", "tls-replication yes"].map(str::to_owned));
            }
        }
        lines.extend(settings.iter().map(|(name, value)| format!("{name} {value}")));
        let configuration = place.write("redis.conf", &lines.join("\n"));
        let mut command = place.command(&programs::program("redis-server"));
        command.arg(configuration);
        let daemon = Daemon::start("Redis", place, port, command, Probe::Redis, Signal::TERM).await;
        Self { daemon, password, tls: tls.map(|tls| tls.port) }
    }

    /// `redis://127.0.0.1:PORT`, with the password if it has one.
    pub fn url(&self) -> String {
        format!("redis://{}{}", self.credentials(), self.daemon.addr())
    }

    /// `rediss://127.0.0.1:PORT`, with the password if it has one.
    ///
    /// # Panics
    /// If it has no certificate.
    pub fn tls_url(&self) -> String {
        let addr = self.tls_addr().expect("only a Redis with a certificate speaks TLS");
        format!("rediss://{}{addr}", self.credentials())
    }

    pub(super) fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(Port::addr)
    }

    /// What it answers to a command, written as one types it: an error with its `-`, an array with a line for each item.
    ///
    /// # Panics
    /// With its log, if it does not answer.
    pub async fn ask(&self, command: &str) -> String {
        let answer = self.try_ask(command).await;
        answer.unwrap_or_else(|error| panic!("no answer to {command}: {error}\n{}", self.daemon.log()))
    }

    pub(super) async fn try_ask(&self, command: &str) -> std::io::Result<String> {
        ask::ask(self.daemon.addr(), self.password, command).await
    }

    fn credentials(&self) -> String {
        self.password.map(|password| format!(":{password}@")).unwrap_or_default()
    }
}

impl Deref for Redis {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}
