//! `cargo xtask bench gateway`: builds the release, finds nginx, and lets `crates/bench` measure.
//!
//! Invariant: what is measured is the binary that a release ships, built from what lies here.
//! It measures nothing itself.

use std::num::NonZeroU32;
use std::process::Command;

use crate::failure::Failure;
use crate::tools::{self, Tool};
use crate::{console, metadata, process, workspace};

/// How long, and whether only to show that it works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Seconds for each target in each round; `None`: as the program says.
    pub(crate) seconds: Option<NonZeroU32>,
    /// Half a minute in all, and numbers that mean little.
    pub(crate) quick: bool,
}

/// Builds and measures; the table goes to stdout, the rest to `target/bench`.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    tools::ensure(&[Tool::Nginx])?;
    let nginx = Tool::Nginx.find().ok_or_else(|| Failure::new("nginx was there a moment ago"))?;
    // Apart, so that the binary has the features of a release and none that the bench asks for.
    process::run(&mut workspace::cargo(["build", "--release", "-p", "onlyonce-cli"]))?;
    process::run(&mut workspace::cargo(["build", "--release", "-p", "onlyonce-bench"]))?;
    let target = metadata::target_directory()?;
    let mut bench = Command::new(target.join("release/onlyonce-bench"));
    bench.arg("gateway").arg("--onlyonce").arg(target.join("release/onlyonce")).arg("--nginx").arg(nginx);
    bench.arg("--output").arg(target.join("bench"));
    if let Some(seconds) = options.seconds {
        bench.args(["--seconds", &seconds.to_string()]);
    }
    if options.quick {
        bench.arg("--quick");
    }
    console::note("other programs on this machine change the numbers: close what can be closed");
    process::run(&mut bench)
}
