//! The PostgreSQL, the Redis and the Redis Cluster that tests share: for one run of the tests, or for the desk.
//!
//! One that the environment gives already is taken as it is.
//!
//! Invariant: they end with this program, also where it is killed: they live as long as the input of the program that
//! starts them (`crates/testbed/src/bin`) stays open.
//! It knows no server; that program does.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::failure::Failure;
use crate::process::Running;
use crate::tools::{self, Tool};
use crate::{console, metadata, process, workspace};

/// The program that starts them.
const PROGRAM: &str = "onlyonce-servers";
/// What it prints for each before `NAME=URL`.
const EXPORT: &str = "export ";
/// How many it starts.
const COUNT: usize = 3;
/// How long they have to end.
const GRACE: Duration = Duration::from_secs(30);

/// The running servers; they end when this is dropped.
pub(crate) struct Servers {
    running: Running,
    environment: Vec<(String, String)>,
}

impl Servers {
    /// Starts them; the program has been built with the tests.
    pub(crate) fn start() -> Result<Self, Failure> {
        Self::start_program(&mut Command::new(metadata::target_directory()?.join("debug").join(PROGRAM)))
    }

    fn start_program(command: &mut Command) -> Result<Self, Failure> {
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output =
            running.child().stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
        // The program bounds how long it takes until it prints, or ends.
        let environment: Vec<_> =
            output.map_while(Result::ok).take(COUNT).filter_map(|line| export(&line)).collect();
        if environment.len() < COUNT {
            return Err(Failure::new("the servers for tests did not start").or_hint("cargo xtask tools"));
        }
        Ok(Self { running, environment })
    }

    /// The variables by which tests find them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, url)| (name.as_str(), url.as_str()))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.running.child().stdin.take());
        if self.running.wait(GRACE).is_none() {
            console::note(format_args!("{PROGRAM} did not end by itself: stopping it"));
        }
    }
}

/// Runs them until this program ends.
pub(crate) fn run() -> Result<(), Failure> {
    tools::ensure(&[Tool::Postgres, Tool::Redis, Tool::RedisCli])?;
    process::run(&mut workspace::cargo(["build", "-p", "onlyonce-testbed", "--bin", PROGRAM]))?;
    let mut servers = Servers::start()?;
    for (name, url) in servers.environment() {
        console::data(format_args!("{EXPORT}{name}={url}"));
    }
    console::note("running until Ctrl-C");
    // Waiting closes the input of what is waited for, which would end it.
    let _input = servers.running.child().stdin.take();
    let status = servers.running.child().wait();
    Err(Failure::new(format!("the servers ended: {status:?}")))
}

fn export(line: &str) -> Option<(String, String)> {
    let (name, url) = line.strip_prefix(EXPORT)?.split_once('=')?;
    Some((name.to_owned(), url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Servers, Failure> {
        Servers::start_program(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn the_variables_come_from_the_program_and_it_ends_with_its_input() {
        let mut servers =
            shell("for n in A B C; do echo export $n=redis://h?a=$n; done; read x; exit 0").unwrap();
        let found: Vec<_> = servers.environment().collect();
        assert_eq!(found, [("A", "redis://h?a=A"), ("B", "redis://h?a=B"), ("C", "redis://h?a=C")]);
        drop(servers.running.child().stdin.take());
        assert!(servers.running.wait(GRACE).is_some());
    }

    #[test]
    fn a_program_that_ends_early_has_started_nothing() {
        let failure = shell("echo export A=a; exit 1").err().map(|failure| failure.to_string());
        assert!(failure.is_some_and(|failure| failure.contains("did not start")));
    }
}
