//! `onlyonce demo`: the bank behind a gateway, the same bank without, and a page to double-click.

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use onlyonce_demo::Options;
use onlyonce_gateway::{
    Config, Gateway, Place, Running, StartError,
    config::{self, Admin, PrincipalFrom, Requirement, Route, Settings, ledger::Url},
    gateway::Secrets,
};
use tokio::sync::Mutex;

use crate::{
    exit::{Exit, complain},
    gateway::stop_signal,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the page is served [default: 127.0.0.1:4111, or a free port]
    #[arg(long, value_name = "ADDRESS", value_parser = onlyonce_gateway::config::address)]
    page: Option<SocketAddr>,
}

pub(crate) async fn run(arguments: Arguments) -> Exit {
    // The demo's ledger is a real one, durable for as long as the demo runs.
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            complain(&format!("failed to make a directory for the demo's ledger: {error}"));
            return Exit::Failure;
        }
    };
    let ledger = Url::from(Place::Embedded(directory.path().to_owned()));
    let gateway: Arc<Mutex<Option<Running>>> = Arc::default();
    let start = {
        let gateway = Arc::clone(&gateway);
        move |bank| async move {
            let running = start(bank, ledger).await?;
            let address = running.address();
            *gateway.lock().await = Some(running);
            Ok::<_, StartError>(address)
        }
    };
    let served = tokio::select! {
        served = onlyonce_demo::run(Options { page: arguments.page }, start) => Some(served),
        () = stop_signal() => None,
    };
    match served {
        Some(Err(error)) => {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            complain(&format!("{error}{cause}"));
            Exit::Failure
        }
        Some(Ok(_)) | None => Exit::Done,
    }
}

async fn start(bank: SocketAddr, ledger: Url) -> Result<Running, StartError> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let pay = Route {
        pattern: "POST /transfers".to_owned(),
        settings: Settings { key: Requirement::Required, ..Settings::default() },
    };
    let config = Config {
        listen: any_port,
        upstream: format!("http://{bank}"),
        admin: Admin::At(any_port),
        ledger: config::Ledger { url: ledger, ..config::Ledger::default() },
        principal: config::Principal {
            from: PrincipalFrom::Header,
            trusted: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
            ..config::Principal::default()
        },
        route: vec![pay],
        ..Config::default()
    };
    Gateway::start(config, Secrets::default()).await
}
