//! What the tests need beside a Rust toolchain: found, or installed where that is allowed.
//!
//! Invariant: nothing is installed that is already there, and without root nothing is installed at all:
//! then the failure says what to type.
//! It knows Debian's package manager only.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::{console, process};

/// A program that some step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Shows the order of system calls: that a sync comes before a send.
    Strace,
    /// Runs the Python example and its tests.
    Python,
    /// Draws the demo's page, and is the browser of a page on another origin.
    Chromium,
    /// What the example client in a shell is made of.
    Curl,
    /// The plain proxy with which the gateway's speed is compared, and that tries a second gateway.
    Nginx,
    /// Keeps a ledger that several gateways share.
    Postgres,
    /// The same, in memory and on disk.
    Redis,
    /// Makes a cluster of several of them.
    RedisCli,
    /// Hands out PostgreSQL's connections for a transaction each.
    Pgbouncer,
    /// Gives a gateway another wall clock.
    Faketime,
}

/// Where Debian puts PostgreSQL's programs, under a directory for each version.
const POSTGRES: &str = "/usr/lib/postgresql";

impl Tool {
    /// Where the program may be found, the usual place first.
    fn programs(self) -> Vec<PathBuf> {
        let names: &[&str] = match self {
            Self::Strace => &["strace"],
            Self::Python => &["python3"],
            Self::Chromium => &["chromium", "chromium-browser", "google-chrome"],
            Self::Curl => &["curl"],
            // Debian puts these where only root looks.
            Self::Nginx => &["nginx", "/usr/sbin/nginx"],
            Self::Pgbouncer => &["pgbouncer", "/usr/sbin/pgbouncer"],
            Self::Postgres => return postgres_versions(),
            Self::Redis => &["redis-server"],
            Self::RedisCli => &["redis-cli"],
            Self::Faketime => &["faketime"],
        };
        names.iter().map(PathBuf::from).collect()
    }

    /// The Debian packages that bring it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Strace => &["strace"],
            Self::Python => &["python3"],
            // Without fonts a page is drawn without text.
            Self::Chromium => &["chromium", "fonts-liberation"],
            Self::Curl => &["curl"],
            Self::Nginx => &["nginx"],
            Self::Postgres => &["postgresql"],
            Self::Redis => &["redis-server"],
            Self::RedisCli => &["redis-tools"],
            Self::Pgbouncer => &["pgbouncer"],
            Self::Faketime => &["faketime"],
        }
    }

    /// The option with which it says its version and ends.
    fn version_option(self) -> &'static str {
        match self {
            Self::Nginx => "-v",
            _ => "--version",
        }
    }

    /// The service that its package starts, which nobody has asked for.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Nginx => Some("nginx"),
            Self::Postgres => Some("postgresql"),
            Self::Redis => Some("redis-server"),
            Self::Pgbouncer => Some("pgbouncer"),
            Self::Strace | Self::Python | Self::Chromium | Self::Curl | Self::RedisCli | Self::Faketime => {
                None
            }
        }
    }

    /// Where the program is installed, if it is.
    pub(crate) fn find(self) -> Option<PathBuf> {
        let is_here = |program: &PathBuf| process::succeeds(Command::new(program).arg(self.version_option()));
        self.programs().into_iter().find(is_here)
    }
}

/// On the search path, else the newest that Debian has.
fn postgres_versions() -> Vec<PathBuf> {
    let directories = fs::read_dir(POSTGRES).into_iter().flatten().flatten().map(|entry| entry.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<_> = directories.filter_map(|path| Some((number(&path)?, path))).collect();
    versions.sort();
    let installed = versions.into_iter().rev().map(|(_, path)| path.join("bin/initdb"));
    std::iter::once(PathBuf::from("initdb")).chain(installed).collect()
}

/// All that `cargo xtask test` needs.
pub(crate) fn ensure_all() -> Result<(), Failure> {
    ensure(&[
        Tool::Strace,
        Tool::Python,
        Tool::Curl,
        Tool::Chromium,
        Tool::Nginx,
        Tool::Postgres,
        Tool::Redis,
        Tool::RedisCli,
        Tool::Pgbouncer,
        Tool::Faketime,
    ])
}

/// Finds each tool or installs it.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), Failure> {
    for tool in tools {
        match tool.find() {
            Some(program) => console::note(format_args!("{}: found", program.display())),
            None => install(*tool)?,
        }
    }
    Ok(())
}

/// Finds a part of the Rust toolchain (`cargo fmt`, `cargo clippy`) or has rustup add it.
pub(crate) fn ensure_component(subcommand: &str, component: &str) -> Result<(), Failure> {
    if process::succeeds(Command::new("cargo").args([subcommand, "--version"])) {
        return Ok(());
    }
    process::run(Command::new("rustup").args(["component", "add", component])).map_err(|failure| {
        failure.or_hint(format!("`cargo {subcommand}` is missing; add `{component}` to the Rust toolchain"))
    })
}

fn install(tool: Tool) -> Result<(), Failure> {
    let packages = tool.packages();
    let missing = |why: &str| Failure::new(format!("{tool:?} is missing and {why}"));
    if !process::exists("apt-get") {
        return Err(missing("there is no apt-get here: install it with this system's package manager"));
    }
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    if !is_root() {
        return Err(missing("only root can install it").or_hint(by_hand));
    }
    console::note(format_args!("{tool:?} is missing: installing {}", packages.join(", ")));
    // A fresh image has no package lists, an old one has stale ones; both show as a failed installation.
    process::run(&mut apt_install(packages))
        .or_else(|_| {
            console::note("once more, with new package lists");
            process::run(&mut apt_get("update"))?;
            process::run(&mut apt_install(packages))
        })
        .map_err(|failure| failure.or_hint(by_hand))?;
    if let Some(service) = tool.service() {
        // It may not have been started, and then there is nothing to stop.
        let _ = process::succeeds(Command::new("invoke-rc.d").args([service, "stop"]));
        console::note(format_args!("{service}: the service that came with it was stopped"));
    }
    tool.find().map(|_| ()).ok_or_else(|| missing("its package did not bring it"))
}

fn apt_install(packages: &[&str]) -> Command {
    let mut command = apt_get("install");
    command.args(["--yes", "--no-install-recommends"]).args(packages);
    command
}

fn apt_get(action: &str) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["--quiet", action]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
