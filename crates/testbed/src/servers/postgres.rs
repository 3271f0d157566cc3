//! A PostgreSQL of one test.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
};

use rustix::process::Signal;

pub use super::options::Options;
use super::{account::Account, daemon::Daemon, place::Place, probe::Probe, programs};
use crate::{process::Port, tls::Certified};

/// Its superuser and its database.
const NAME: &str = "postgres";

/// A running PostgreSQL; all that can be done to its processes is in [`Daemon`].
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    password: Option<&'static str>,
}

impl Postgres {
    /// A new one with the server's own defaults.
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
        let Options { settings, password, certificate } = options;
        let programs = programs::postgres();
        // An immediate shutdown: unlike a kill it leaves no shared memory behind.
        let (place, port) = (Place::new("postgres", Account::unprivileged(), "QUIT"), Port::reserve());
        init(&place, &programs.join("initdb"), password);
        let mut ours = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.number().to_string()),
            ("unix_socket_directories", String::new()),
            ("max_connections", "200".to_owned()),
        ];
        ours.extend(certificate.iter().flat_map(|certificate| encrypted(&place, certificate, password)));
        let mut command = place.command(&programs.join("postgres"));
        command.args(["-D", "."]);
        for (name, value) in ours.iter().chain(&settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let daemon = Daemon::start("PostgreSQL", place, port, command, Probe::Postgres, Signal::INT).await;
        Self { daemon, password }
    }

    /// `postgres://USER@127.0.0.1:PORT/DATABASE`, with the password if it has one.
    pub fn url(&self) -> String {
        let password = self.password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://{NAME}{password}@{}/{NAME}", self.daemon.addr())
    }

    /// What it answers to a statement: a line for each row, `|` between columns.
    ///
    /// # Panics
    /// With what it says, if the statement fails.
    pub async fn ask(&self, sql: &str) -> String {
        ask(&self.url(), sql).await
    }
}

/// Makes the files of a database.
fn init(place: &Place, program: &Path, password: Option<&str>) {
    let mut args = vec!["--pgdata=.", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"];
    let file = password.map(|password| format!("--pwfile={}", place.write("password", password).display()));
    args.extend(file.as_deref());
    args.push(if password.is_some() { "--auth=scram-sha-256" } else { "--auth=trust" });
    place.run(program, &args);
}

/// What lets in who speaks TLS, and nobody else.
fn encrypted(place: &Place, certificate: &Certified, password: Option<&str>) -> [(&'static str, String); 4] {
    let method = if password.is_some() { "scram-sha-256" } else { "trust" };
    let file = |name, text: &str| place.write(name, text).display().to_string();
    [
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", file("chain.pem", certificate.chain_pem())),
        ("ssl_key_file", file("key.pem", certificate.key_pem())),
        ("hba_file", file("pg_hba.conf", &format!("hostssl all all 127.0.0.1/32 {method}\n"))),
    ]
}

/// What the PostgreSQL at `url` answers to a statement; the URL may have what `psql` understands, such as `sslmode`.
///
/// # Panics
/// With what it says, if the statement fails.
pub async fn ask(url: &str, sql: &str) -> String {
    let psql = programs::postgres().join("psql");
    let mut command = tokio::process::Command::new(psql);
    command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"]);
    command.args(["--dbname", url, "--command", sql]).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("psql can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{sql}` failed: {error}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

impl Deref for Postgres {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Postgres {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}
