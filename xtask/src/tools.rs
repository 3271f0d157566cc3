//! What the tests need beside a Rust toolchain: found, or installed where that is allowed.
//!
//! Invariant: nothing is installed that is already there, and without root nothing is installed at all:
//! then the failure says what to type.
//! It knows Debian's package manager only.

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
    /// The plain proxy with which the gateway's speed is compared.
    Nginx,
}

impl Tool {
    /// The names under which the program may be found, the usual one first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Strace => &["strace"],
            Self::Python => &["python3"],
            Self::Chromium => &["chromium", "chromium-browser", "google-chrome"],
            Self::Curl => &["curl"],
            // Debian puts it where only root looks.
            Self::Nginx => &["nginx", "/usr/sbin/nginx"],
        }
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
        }
    }

    /// The option with which it says its version and ends.
    fn version_option(self) -> &'static str {
        match self {
            Self::Strace | Self::Python | Self::Chromium | Self::Curl => "--version",
            Self::Nginx => "-v",
        }
    }

    /// The service that its package starts, which nobody has asked for.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Strace | Self::Python | Self::Chromium | Self::Curl => None,
            Self::Nginx => Some("nginx"),
        }
    }

    /// The name under which the program is installed, if it is.
    pub(crate) fn find(self) -> Option<&'static str> {
        let is_here = |program: &&str| process::succeeds(Command::new(program).arg(self.version_option()));
        self.programs().iter().copied().find(is_here)
    }
}

/// All that `cargo xtask test` needs.
pub(crate) fn ensure_all() -> Result<(), Failure> {
    ensure(&[Tool::Strace, Tool::Python, Tool::Curl, Tool::Chromium])
}

/// Finds each tool or installs it.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), Failure> {
    for tool in tools {
        match tool.find() {
            Some(program) => console::note(format_args!("{program}: found")),
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
