//! `onlyonce ledger`: what an operator does to a ledger itself, beside its gateways or before them.
//!
//! Everything is decided by the crates below; here it is asked, confirmed, and told what to do next. Data goes to stdout,
//! the rest to stderr.

mod migrate;
mod rewrap;

use clap::{Args, Subcommand};
use onlyonce_gateway::{Place, StartError, StartErrorKind, config::ledger::Url};

use crate::{environment, exit::Exit, gateway::refused};

/// The variable that holds the secret.
const SECRET: &str = "ONLYONCE_SECRET";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make what a ledger is kept in, or bring it up to this version: the tables of PostgreSQL
    Migrate(Which),
    /// Put a ledger under another secret, also while gateways run: ONLYONCE_SECRET is the old one, ONLYONCE_NEW_SECRET the new
    Rewrap(Which),
}

/// Which ledger is meant.
#[derive(Args)]
struct Which {
    /// The ledger, as in a gateway's configuration: embedded:DIR, postgres://…, redis://…, redis-cluster://…, or env:NAME for
    /// a URL from the environment, where other users of the machine do not see its password
    #[arg(long, value_name = "URL")]
    ledger: String,
}

pub(crate) async fn run(arguments: Arguments) -> Exit {
    let ended = match arguments.command {
        Command::Migrate(which) => migrate::run(&which).await,
        Command::Rewrap(which) => rewrap::run(&which).await,
    };
    ended.map_or_else(|error| refused(&error), |()| Exit::Done)
}

impl Which {
    fn place(&self) -> Result<Place, StartError> {
        let url: Url = self.ledger.parse()?;
        let held = url.variable().map(variable).transpose()?.flatten();
        url.place(|_| held.clone())
            .map_err(|why| StartError::new(StartErrorKind::Config, format!("--ledger: {why}")))
    }
}

fn variable(name: &str) -> Result<Option<String>, StartError> {
    environment(name).map_err(|why| StartError::new(StartErrorKind::Config, why))
}
