//! `cargo xtask bench gateway` and `bench stores`: builds the release, finds what it is compared with, and lets `crates/bench`
//! measure.
//!
//! Invariant: what is measured is what a release ships, built from what lies here.
//! It measures nothing itself.

use std::num::NonZeroU32;
use std::process::Command;

use crate::failure::Failure;
use crate::tools::{self, Tool};
use crate::{console, metadata, process, workspace};

/// What is measured, how long, and whether only to show that it works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) subject: Subject,
    /// Seconds for each target in each round; `None`: as the program says.
    pub(crate) seconds: Option<NonZeroU32>,
    /// Half a minute in all, and numbers that mean little.
    pub(crate) quick: bool,
}

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The released binary.
    #[default]
    Gateway,
    /// The ledger on each backend.
    Stores(Stores),
}

/// Which part, on what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stores {
    pub(crate) part: Part,
    /// One backend alone.
    pub(crate) only: Option<String>,
}

/// What is measured of the stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Part {
    #[default]
    Speed,
    /// What expiry costs those who claim meanwhile.
    Expiry,
    /// `PostgreSQL`'s table and indexes over millions of claims.
    Bloat,
}

/// Builds and measures; the table goes to stdout, the rest to `target/bench`.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let target = metadata::target_directory()?;
    let mut bench = Command::new(target.join("release/onlyonce-bench"));
    match &options.subject {
        Subject::Gateway => {
            tools::ensure(&[Tool::Nginx])?;
            let nginx = Tool::Nginx.find().ok_or_else(|| Failure::new("nginx was there a moment ago"))?;
            // Apart, so that the binary has the features of a release and none that the bench asks for.
            process::run(&mut workspace::cargo(["build", "--release", "-p", "onlyonce-cli"]))?;
            bench
                .arg("gateway")
                .arg("--onlyonce")
                .arg(target.join("release/onlyonce"))
                .arg("--nginx")
                .arg(nginx);
        }
        Subject::Stores(stores) => {
            tools::ensure(&[Tool::Postgres, Tool::Redis, Tool::RedisCli])?;
            bench.arg("stores").args(stores.arguments());
        }
    }
    process::run(&mut workspace::cargo(["build", "--release", "-p", "onlyonce-bench"]))?;
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

impl Stores {
    fn arguments(&self) -> impl Iterator<Item = &str> {
        let part = match self.part {
            Part::Speed => None,
            Part::Expiry => Some("--expiry"),
            Part::Bloat => Some("--bloat"),
        };
        part.into_iter().chain(self.only.iter().flat_map(|only| ["--only", only]))
    }
}
