//! The command line: arguments in, exit code out. Holds no logic of its own.

mod config;
mod demo;
mod exit;
mod gateway;
mod keys;
mod ledger;
mod logging;
mod table;
mod verify;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// The configuration: its keys and defaults, whether a file is right, and what it means for a request.
    Config(config::Arguments),
    /// Look at operations and end unknown outcomes, over the admin API of a running gateway.
    Keys(keys::Arguments),
    /// Look after a ledger itself: make its tables, give it another secret, move it elsewhere
    Ledger(ledger::Arguments),
    /// Try from outside whether an API acts once, whatever it is made of, and report where it does not.
    Verify(verify::Arguments),
    /// The bank, the gateway and a page to double-click, on loopback, nothing else needed.
    Demo(demo::Arguments),
}

/// A variable of the environment that is set to something. The error says that it is set to what is not text: that is
/// never taken for unset.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn environment(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the environment variable {name} is not text (UTF-8)"))
        }
    }
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    // What the gateway tells stands among its log lines; the other commands talk to people.
    if logging::start() && matches!(arguments.command, Command::Gateway(_)) {
        exit::tell_as_json();
    }
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
            Command::Config(arguments) => config::run(&arguments),
            Command::Keys(arguments) => {
                match environment(arguments.token_variable()) {
                    Ok(token) => {
                        // A name that is not text signs nothing; `--by` does.
                        let user =
                            ["USER", "LOGNAME"].iter().find_map(|name| environment(name).unwrap_or_default());
                        keys::run(arguments, keys::Variables { token, user }).await
                    }
                    Err(why) => {
                        exit::complain(&why);
                        Exit::Usage
                    }
                }
            }
            Command::Ledger(arguments) => ledger::run(arguments).await,
            Command::Verify(arguments) => verify::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
        }
    });
    // What is still listening for late answers has had its time; nothing may hold the process back.
    runtime.shutdown_background();
    exit.into()
}
