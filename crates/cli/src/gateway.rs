//! `onlyonce gateway`: flags over the file, then run until told to stop.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use onlyonce_gateway::{
    Config, Gateway, Running, StartError, StartErrorKind,
    config::{Admin, PrincipalFrom, address},
    gateway::Secrets,
};
#[cfg(feature = "fault-points")]
use onlyonce_http::fault::Window;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    environment,
    exit::{Exit, complain, tell},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where requests are taken [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The API behind, as http://HOST:PORT or https://HOST:PORT [default: http://127.0.0.1:3000]
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where records are kept: embedded:DIR, postgres://…, redis://…, redis-cluster://…, memory:, or env:NAME for a URL
    /// from the environment [default: embedded:./onlyonce-data]
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
    /// Who sends a request: by what the upstream authenticates by, by a trusted header, or nobody in particular
    #[arg(long, value_name = "HOW", value_parser = ["credential", "header", "anonymous"])]
    principal: Option<String>,
    /// Where operators are served, or `off` [default: 127.0.0.1:9180]
    #[arg(long, value_name = "ADDRESS|off", value_parser = admin)]
    admin: Option<Admin>,
    /// The configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Parks every other request in this window, for crash tests
    #[cfg(feature = "fault-points")]
    #[arg(long, value_name = "WINDOW", hide = true, value_parser = window)]
    fault: Option<Window>,
}

fn admin(text: &str) -> Result<Admin, String> {
    Admin::try_from(text.to_owned())
}

pub(crate) async fn run(arguments: Arguments) -> Exit {
    #[cfg(feature = "fault-points")]
    if let Some(window) = arguments.fault {
        onlyonce_http::fault::arm(window);
    }
    let stopped = stop_signal();
    match arguments.start().await {
        Ok((running, notes)) => {
            notes.print(&running);
            until_stopped(running, stopped).await
        }
        Err(error) => refused(&error),
    }
}

impl Arguments {
    async fn start(&self) -> Result<(Running, Notes), StartError> {
        let config = self.config()?;
        let notes = Notes::of(&config);
        let secrets = secrets(&config)?;
        Ok((Gateway::start(config, secrets).await?, notes))
    }

    fn config(&self) -> Result<Config, StartError> {
        let mut config = match &self.config {
            None => Config::default(),
            Some(path) => Config::parse(&read(path)?, path)?,
        };
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(upstream) = &self.upstream {
            config.upstream.clone_from(upstream);
        }
        if let Some(ledger) = &self.ledger {
            // Not by the argument parser, which repeats what it refuses.
            config.ledger.url = ledger.parse()?;
        }
        if let Some(admin) = self.admin {
            config.admin = admin;
        }
        match self.principal.as_deref() {
            Some("anonymous") => config.principal.from = PrincipalFrom::Anonymous,
            Some("header") => config.principal.from = PrincipalFrom::Header,
            Some("credential") => config.principal.from = PrincipalFrom::Credential,
            _ => {}
        }
        Ok(config)
    }
}

/// The text of a configuration file.
pub(crate) fn read(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|error| {
        let detail = format!("failed to read the configuration {}: {error}", path.display());
        StartError::new(StartErrorKind::Config, detail)
    })
}

/// What the environment holds beside the configuration.
pub(crate) fn secrets(config: &Config) -> Result<Secrets, StartError> {
    let text = |name| environment(name).map_err(|why| StartError::new(StartErrorKind::Config, why));
    let mut named = BTreeMap::new();
    for name in config.variables() {
        named.extend(text(name)?.map(|value| (name.to_owned(), value)));
    }
    Ok(Secrets { ledger: text("ONLYONCE_SECRET")?, admin: text("ONLYONCE_ADMIN_TOKEN")?, named })
}

/// What start-up says, once.
struct Notes {
    upstream: String,
    anonymous: bool,
}

impl Notes {
    fn of(config: &Config) -> Self {
        Self {
            upstream: config.upstream.clone(),
            anonymous: config.principal.from == PrincipalFrom::Anonymous,
        }
    }

    fn print(&self, running: &Running) {
        let found = running.found();
        tell(&format!("ledger    {} ({})", running.place(), about_ledger(running)));
        for sentence in running.sentences() {
            tell(&format!("          {sentence}"));
        }
        if found.converted > 0 {
            tell(&format!(
                "          under way when the last process ended, and unknown now: {}",
                found.converted
            ));
        }
        if found.unknown > 0 {
            tell(&format!(
                "          unknown in all: {}; `onlyonce keys list --state unknown` shows them",
                found.unknown
            ));
        }
        if self.anonymous {
            tell("principal anonymous: all callers share one scope, and whoever knows a key gets its result");
        }
        if let Some(admin) = running.admin() {
            tell(&format!("admin     http://{admin}"));
        }
        tell(&format!("listening on http://{} for {}", running.address(), self.upstream));
    }
}

fn about_ledger(running: &Running) -> &'static str {
    let promised = running.ledger().capabilities();
    match (promised.shared, promised.durable) {
        (true, _) => "shared: any number of gateways may use it",
        (false, true) => "one process; a second instance needs a shared ledger: PostgreSQL or Redis",
        (false, false) => "everything is forgotten when this process ends: for trials only",
    }
}

/// Serves until it is stopped or the ledger fails for good.
async fn until_stopped(running: Running, stopped: impl Future<Output = ()>) -> Exit {
    let stopped = tokio::select! {
        () = stopped => true,
        () = running.poisoned() => false,
    };
    if !stopped {
        complain(
            "the ledger failed for good; what was being written may or may not be there\n\nhint: free disk space if \
             it is full, and start the gateway again: opening the ledger replays its journal",
        );
        return Exit::Poisoned;
    }
    running.stop_accepting();
    tell("stopping: no new connections, waiting for what is running");
    let drained = running.drain().await;
    if drained.given_up > 0 {
        tell(&format!("cut off at the drain limit, outcome unknown: {}", drained.given_up));
    }
    Exit::Done
}

/// SIGTERM or SIGINT, from this call on: one that comes while the gateway starts is heard once it serves.
pub(crate) fn stop_signal() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without handlers the signals end the process, which is a crash that the ledger survives.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Tells why there is no gateway.
pub(crate) fn refused(error: &StartError) -> Exit {
    complain(&error.to_string());
    match error.kind() {
        StartErrorKind::Config => Exit::Config,
        StartErrorKind::Listen => Exit::Listen,
        StartErrorKind::Ledger => Exit::Ledger,
    }
}

#[cfg(feature = "fault-points")]
fn window(name: &str) -> Result<Window, String> {
    let known = || Window::ALL.map(Window::as_str).join(", ");
    Window::ALL
        .into_iter()
        .find(|window| window.as_str() == name)
        .ok_or_else(|| format!("one of {}", known()))
}
