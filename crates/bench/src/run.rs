//! The whole measurement, in order, and what becomes of its numbers.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    failure::Failure,
    machine::Machine,
    report::{self, Report},
    rounds, start_up, system, waiters,
};

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
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Shows that everything works, within half a minute; the numbers mean little
    #[arg(long)]
    quick: bool,
}

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) waiters: usize,
    pub(crate) records: u64,
}

impl Options {
    fn scale(&self) -> Scale {
        let full = Scale {
            connections: 64,
            rounds: 5,
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs(self.seconds),
            waiters: system::connections().saturating_sub(128).min(10_000),
            records: 1_000_000,
        };
        if !self.quick {
            return full;
        }
        let (warm_up, measured) = (Duration::from_millis(200), Duration::from_millis(500));
        Scale { rounds: 1, warm_up, measured, waiters: 500, records: 10_000, ..full }
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let scale = options.scale();
    fs::create_dir_all(&options.output)?;
    let directory = tempfile::tempdir_in(&options.output)?;
    let machine = Machine::look(directory.path())?;
    let rows = rounds::measure(&options.onlyonce, &options.nginx, directory.path(), &scale).await?;
    report::note(format_args!("{} waiters on one key", scale.waiters));
    let crowd = waiters::measure(&options.onlyonce, directory.path(), &scale).await?;
    report::note(format_args!("{} records", scale.records));
    let full = start_up::measure(&options.onlyonce, directory.path(), scale.records).await?;
    let report = Report { machine, rows, crowd, full, scale };
    report::data(report.table());
    fs::write(options.output.join("gateway.json"), report.json())?;
    fs::write(options.output.join("gateway.svg"), report.plot())?;
    report::note(format_args!("wrote gateway.json and gateway.svg in {}", options.output.display()));
    Ok(())
}
