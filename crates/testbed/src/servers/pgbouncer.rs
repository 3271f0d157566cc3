//! A pgbouncer of one test, which gives out a connection for the length of a transaction.

use std::ops::{Deref, DerefMut};

use rustix::process::Signal;

use super::{Postgres, account::Account, daemon::Daemon, place::Place, probe::Probe, programs};
use crate::process::Port;

/// A running pgbouncer before a PostgreSQL; all that can be done to its processes is in [`Daemon`].
#[derive(Debug)]
pub struct Pgbouncer {
    daemon: Daemon,
}

impl Pgbouncer {
    /// One in transaction mode before `server`, which needs no password and no TLS.
    ///
    /// # Panics
    /// With its log, if it does not start.
    pub async fn start(server: &Postgres) -> Self {
        Self::start_with(server, &[]).await
    }

    /// The same with these lines in its `[pgbouncer]`; they win over ours.
    ///
    /// # Panics
    /// With its log, if it does not start.
    pub async fn start_with(server: &Postgres, settings: &[(&str, &str)]) -> Self {
        let (place, port) = (Place::new("pgbouncer", Account::unprivileged(), "KILL"), Port::reserve());
        let behind = server.addr();
        let mut lines = vec![
            "[databases]".to_owned(),
            format!("* = host={} port={} user=postgres", behind.ip(), behind.port()),
            "[pgbouncer]".to_owned(),
            "listen_addr = 127.0.0.1".to_owned(),
            format!("listen_port = {}", port.number()),
            "unix_socket_dir =".to_owned(),
            "auth_type = any".to_owned(),
            "pool_mode = transaction".to_owned(),
        ];
        lines.extend(settings.iter().map(|(name, value)| format!("{name} = {value}")));
        let configuration = place.write("pgbouncer.ini", &(lines.join("\n") + "\n"));
        let mut command = place.command(&programs::program("pgbouncer"));
        command.arg(configuration);
        let daemon = Daemon::start("pgbouncer", place, port, command, Probe::Postgres, Signal::INT).await;
        Self { daemon }
    }

    /// `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.daemon.addr())
    }
}

impl Deref for Pgbouncer {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Pgbouncer {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}
