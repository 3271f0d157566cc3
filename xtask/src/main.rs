//! `cargo xtask`: what CI runs and what the desk runs, as one program.
//!
//! Invariant: a step that fails names the command that runs it alone, and nothing here depends on the
//! machine beyond what `cargo xtask tools` finds or installs.
//! It is never part of `onlyonce`, and it decides nothing about how `onlyonce` behaves.

mod arguments;
mod bench;
mod console;
mod failure;
mod metadata;
mod process;
mod screenshot;
mod servers;
mod storm;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::env;
use std::process::ExitCode;

use arguments::{Command, HELP};
use failure::Failure;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match Command::parse(&words).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::failed(&failure);
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help => console::data(HELP),
        Command::Test => test::run()?,
        Command::Tidy => tidy::run()?,
        Command::Storm(options) => storm::run(&options)?,
        Command::Bench(options) => bench::run(&options)?,
        Command::Tools => tools::ensure_all()?,
        Command::Servers => servers::run()?,
        Command::Screenshot => screenshot::run()?,
    }
    Ok(())
}
