//! `onlyonce ledger`: what an operator does to a ledger itself, beside its gateways or before them.
//!
//! Everything is decided by the crates below; here it is asked, confirmed, and told what to do next. Data goes to stdout,
//! the rest to stderr.

mod consent;
mod contents;
mod export;
mod failure;
mod import;
mod migrate;
mod progress;
mod reopen;
mod restored;
mod rewrap;

use clap::{Args, Subcommand};
use onlyonce_backends::Place;
use onlyonce_gateway::config::ledger::Url;

use crate::{environment, exit::Exit, ledger::failure::Failure};

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
    /// Close a ledger to new keys and write all of it to a file, as it is sealed
    Export(export::Arguments),
    /// Write what was exported into another ledger, which is empty or an earlier state of the same
    Import(import::Arguments),
    /// Have a ledger that was closed by an export take keys again
    Reopen(Which),
    /// Say that a ledger was restored from a copy, or has failed over to a server that lagged: keys that it may have forgotten
    /// are refused, and not taken for new
    Restored(restored::Arguments),
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
        Command::Export(arguments) => export::run(&arguments).await,
        Command::Import(arguments) => import::run(&arguments).await,
        Command::Reopen(which) => reopen::run(&which).await,
        Command::Restored(arguments) => restored::run(&arguments).await,
        Command::Rewrap(which) => rewrap::run(&which).await,
    };
    ended.map_or_else(Failure::tell, |()| Exit::Done)
}

impl Which {
    fn place(&self) -> Result<Place, Failure> {
        let url: Url = self.ledger.parse()?;
        let held = url.variable().map(variable).transpose()?.flatten();
        url.place(|_| held.clone()).map_err(|why| Failure::config(format!("--ledger: {why}")))
    }
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    environment(name).map_err(Failure::config)
}
