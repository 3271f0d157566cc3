//! How fast the gateway is, beside nginx as a plain proxy and a bare upstream, in one run on one machine; and how fast the
//! ledger is on each backend, beside the naive way ([`stores`]).
//!
//! `cargo xtask bench gateway` builds what is measured and starts this. The gateway is measured from outside, over
//! sockets and from `/proc`, on the released binary as a user would start it.
//!
//! Invariant: an answer that is not the one expected ends the run. A number is never printed for something else than
//! what its name says.
//!
//! It judges nothing but its own answers: whether an aim is met is shown, not enforced.

mod failure;
mod fill;
mod gateway;
mod load;
mod machine;
mod nginx;
mod operation;
mod profile;
mod report;
mod rounds;
mod run;
mod start_up;
mod stores;
mod system;
mod upstream;
mod waiters;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Measures the gateway.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything: throughput, latency, waiters, start-up, bytes.
    Gateway(run::Options),
    /// Of that, the waiters alone.
    Waiters(run::Part),
    /// Of that, start-up and bytes alone.
    Records(run::Part),
    /// How fast each backend claims and completes, beside the naive way.
    Stores(stores::Options),
    /// The bare upstream, until it is killed.
    Upstream,
    /// Load on a gateway that runs already, for a profiler beside it.
    Load(profile::Options),
    /// A ledger with as many finished operations as asked for.
    Fill {
        /// The ledger's directory.
        ledger: PathBuf,
        /// How many operations.
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// Bytes of each result's body.
        #[arg(long, default_value_t = 500)]
        bytes: usize,
        /// The ledger's secret.
        #[arg(long, default_value = fill::SECRET)]
        secret: String,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Gateway(options) => on_one_thread(run::run(options)),
        Command::Waiters(part) => on_one_thread(run::crowd(part)),
        Command::Records(part) => on_one_thread(run::full(part)),
        Command::Load(options) => on_one_thread(profile::run(options)),
        Command::Stores(options) => on_all_threads(stores::run(options)),
        Command::Upstream => on_one_thread(upstream::serve_until_killed()),
        Command::Fill { ledger, records, bytes, secret } => fill::run(&ledger, &secret, records, bytes),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The load generator and the upstream have a thread each, so that both together leave the gateway what they can.
fn on_one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, unless_interrupted(work))
}

/// What is measured in this process has all processors, as it would have in a gateway.
fn on_all_threads(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(unless_interrupted(work))
}

/// Work that a signal drops instead of ending the process, so that nginx and the gateway end with whoever started them.
async fn unless_interrupted(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        done = work => done,
        _ = interrupt.recv() => Err(Failure::new("interrupted")),
        _ = terminate.recv() => Err(Failure::new("asked to end")),
    }
}
