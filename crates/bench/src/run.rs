//! The whole measurement, in order, and what becomes of its numbers.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use tempfile::TempDir;

use crate::{
    failure::Failure,
    machine::Machine,
    report::{self, Report},
    rounds, start_up, system, waiters,
};

const SECONDS: u64 = 5;

/// What is measured, and how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The released binary
    #[arg(long)]
    onlyonce: PathBuf,
    /// nginx
    #[arg(long)]
    nginx: PathBuf,
    /// Where the results go, and while it runs the ledgers: on the disk that is to be measured
    #[arg(long)]
    output: PathBuf,
    /// How long each target is measured in each round
    #[arg(long, default_value_t = SECONDS)]
    seconds: u64,
    /// Shows that everything works, within half a minute; the numbers mean little
    #[arg(long)]
    quick: bool,
}

/// One part of it, to be looked at alone.
#[derive(Args, Clone, Debug)]
pub(crate) struct Part {
    /// The released binary
    #[arg(long)]
    onlyonce: PathBuf,
    /// Where the ledger goes while it runs: on the disk that is to be measured
    #[arg(long)]
    output: PathBuf,
    /// As `gateway --quick` does it
    #[arg(long)]
    quick: bool,
}

/// How much of everything. What there is less of than its constant says is not measured against an aim.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) waiters: usize,
    pub(crate) records: u64,
}

impl Scale {
    pub(crate) const ROUNDS: usize = 5;
    pub(crate) const WAITERS: usize = 10_000;
    pub(crate) const RECORDS: u64 = 1_000_000;
    /// Connections of a gateway that are nobody's who waits.
    pub(crate) const OTHERS: usize = 128;

    fn of(seconds: u64, quick: bool) -> Result<Self, Failure> {
        let full = Self {
            connections: 64,
            rounds: Self::ROUNDS,
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs(seconds),
            waiters: system::waiters(Self::WAITERS, Self::OTHERS)?,
            records: Self::RECORDS,
        };
        if !quick {
            return Ok(full);
        }
        let (warm_up, measured) = (Duration::from_millis(200), Duration::from_millis(500));
        let waiters = full.waiters.min(500);
        Ok(Self { rounds: 1, warm_up, measured, waiters, records: 10_000, ..full })
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let scale = Scale::of(options.seconds, options.quick)?;
    fs::create_dir_all(&options.output)?;
    let directory = tempfile::tempdir_in(&options.output)?;
    let machine = Machine::look(directory.path())?;
    let rows = rounds::measure(&options.onlyonce, &options.nginx, directory.path(), &scale).await?;
    let crowd = waiters::measure(&options.onlyonce, directory.path(), &scale).await?;
    let full = start_up::measure(&options.onlyonce, directory.path(), scale.records).await?;
    let report = Report { machine, rows, crowd, full, scale };
    report::data(report.table());
    fs::write(options.output.join("gateway.json"), report.json())?;
    fs::write(options.output.join("gateway.svg"), report.plot())?;
    report::note(format_args!("wrote gateway.json and gateway.svg in {}", options.output.display()));
    Ok(())
}

/// The waiters alone.
pub(crate) async fn crowd(part: Part) -> Result<(), Failure> {
    let (scale, directory) = part.begin()?;
    report::data(waiters::measure(&part.onlyonce, directory.path(), &scale).await?);
    Ok(())
}

/// Start-up and bytes alone.
pub(crate) async fn full(part: Part) -> Result<(), Failure> {
    let (scale, directory) = part.begin()?;
    report::data(start_up::measure(&part.onlyonce, directory.path(), scale.records).await?);
    Ok(())
}

impl Part {
    fn begin(&self) -> Result<(Scale, TempDir), Failure> {
        fs::create_dir_all(&self.output)?;
        Ok((Scale::of(SECONDS, self.quick)?, tempfile::tempdir_in(&self.output)?))
    }
}
