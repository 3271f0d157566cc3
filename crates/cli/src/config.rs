//! `onlyonce config`: what can be configured, whether a file is right, and what it means for a request.
//!
//! Nothing is opened, bound or made. Data goes to stdout, warnings and errors to stderr.

mod check;
mod explain;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use onlyonce_gateway::{StartError, config};

use crate::{exit::Exit, gateway::refused};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the whole configuration with its defaults and a word on each key
    Default,
    /// Tell whether a file is right, what it says, and what deserves a second thought
    Check(check::Arguments),
    /// Tell which route a request falls under, and every setting with where it comes from
    Explain(explain::Arguments),
}

/// Why there is nothing to tell.
enum Failure {
    Refused(StartError),
    Output(io::Error),
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let out = &mut io::stdout().lock();
    let told = match &arguments.command {
        Command::Default => out.write_all(config::BUILT_IN.as_bytes()).map_err(Failure::Output),
        Command::Check(arguments) => check::run(arguments, out),
        Command::Explain(arguments) => explain::run(arguments, out),
    };
    match told {
        Ok(()) => Exit::Done,
        Err(Failure::Refused(error)) => refused(&error),
        // `onlyonce config default | head` has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(Failure::Output(error)) => {
            crate::exit::complain(&format!("failed to write: {error}"));
            Exit::Failure
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Refused(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
