//! The command line: arguments in, exit code out. Holds no logic of its own.

mod demo;
mod exit;
mod gateway;
mod keys;
mod logging;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// Accepts the same request many times and acts once.
#[derive(Parser)]
#[command(name = "onlyonce", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stand in front of an HTTP API: keyed requests run once, repeats get the stored result.
    Gateway(gateway::Arguments),
    /// Look at operations and end unknown outcomes, over the admin API of a running gateway.
    Keys(keys::Arguments),
    /// The bank, the gateway and a page to double-click, on loopback, nothing else needed.
    Demo(demo::Arguments),
}

/// A variable of the environment that is set to something.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    logging::start();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            exit::complain(&format!("failed to start threads: {error}"));
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(async {
        match arguments.command {
            Command::Gateway(arguments) => gateway::run(arguments).await,
            Command::Keys(arguments) => {
                let variables = keys::Variables {
                    token: environment(arguments.token_variable()),
                    user: environment("USER"),
                };
                keys::run(arguments, variables).await
            }
            Command::Demo(arguments) => demo::run(arguments).await,
        }
    });
    // What is still listening for late answers has had its time; nothing may hold the process back.
    runtime.shutdown_background();
    exit.into()
}
