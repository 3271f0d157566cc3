//! `cargo xtask storm`: real processes killed by `kill -9` in every window of an operation, many times.
//!
//! The storm itself is an ordinary test of `crates/cli`, of which `cargo xtask test` runs a bounded part;
//! this only asks it for more. It judges nothing.

use std::num::NonZeroU32;

use crate::failure::Failure;
use crate::tools::{self, Tool};
use crate::{process, workspace};

/// The environment variable by which the test learns how many kills each window gets.
const KILLS: &str = "ONLYONCE_STORM_KILLS";
/// The environment variable by which a storm is repeated as it was.
const SEED: &str = "ONLYONCE_STORM_SEED";
/// Kills in each window when none are asked for.
const DEFAULT_KILLS: NonZeroU32 = NonZeroU32::new(40).expect("forty is not zero");

/// How hard it storms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Kills in each window.
    pub(crate) kills: NonZeroU32,
    /// The seed of an earlier storm; a new one is drawn and printed by the test where this is `None`.
    pub(crate) seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { kills: DEFAULT_KILLS, seed: None }
    }
}

/// Runs the storm and shows its counts.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    // Under `rerun` the killed gateway stands in front of the Python example.
    tools::ensure(&[Tool::Python])?;
    let mut command = workspace::cargo(["test", "-p", "onlyonce-cli", "--all-features", "--test", "storm"]);
    command.args(["--", "--nocapture"]).env(KILLS, options.kills.to_string());
    if let Some(seed) = options.seed {
        command.env(SEED, seed.to_string());
    }
    process::run(&mut command)
}
