//! What is measured, in order, and what becomes of its numbers.

use std::{fmt::Display, fs, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    bloat, curve, expiry,
    report::{Bloat, Expiries, Report, Speed},
    rounds::{self, Place},
    servers::Servers,
};
use crate::{failure::Failure, machine::Machine, report};

/// What is measured, and how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where the results go
    #[arg(long)]
    output: PathBuf,
    /// How long each way is measured in each round
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// Shows that everything works, within half a minute; the numbers mean little
    #[arg(long)]
    quick: bool,
    /// In place of the rates: what the expiry of a million records costs those who claim meanwhile
    #[arg(long, conflicts_with = "bloat")]
    expiry: bool,
    /// In place of the rates: PostgreSQL's table and indexes over five million claims
    #[arg(long)]
    bloat: bool,
    /// One backend alone
    #[arg(long)]
    only: Option<Place>,
}

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) callers: [usize; 3],
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// Records that expire.
    pub(crate) expiring: usize,
    /// How long those who claim are counted before and after that.
    pub(crate) beside: Duration,
    /// Claims while the table is looked at.
    pub(crate) claims: u64,
    only: Option<Place>,
}

impl Scale {
    pub(crate) const ROUNDS: usize = 5;
    pub(crate) const EXPIRING: usize = 1_000_000;
    pub(crate) const CLAIMS: u64 = 5_000_000;

    fn of(options: &Options) -> Self {
        let (callers, only) = ([1, 64, 512], options.only);
        if options.quick {
            let (warm_up, measured) = (Duration::from_millis(100), Duration::from_millis(300));
            let beside = Duration::from_secs(1);
            return Self {
                callers,
                rounds: 1,
                warm_up,
                measured,
                expiring: 10_000,
                beside,
                claims: 20_000,
                only,
            };
        }
        Self {
            callers,
            rounds: Self::ROUNDS,
            warm_up: Duration::from_millis(300),
            measured: Duration::from_secs(options.seconds),
            expiring: Self::EXPIRING,
            beside: Duration::from_secs(10),
            claims: Self::CLAIMS,
            only,
        }
    }

    pub(crate) fn wants(&self, place: Place) -> bool {
        self.only.is_none_or(|only| only == place)
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let scale = Scale::of(&options);
    fs::create_dir_all(&options.output)?;
    // Beside the servers' data: all on one disk.
    let directory = tempfile::tempdir()?;
    let machine = Machine::look(directory.path())?;
    let mut servers = Servers::start().await?;
    let part: Box<dyn Display> = if options.bloat {
        let looks = bloat::measure(&servers, &scale).await?;
        fs::write(options.output.join("stores.svg"), curve::draw(&looks))?;
        report::note(format_args!("wrote stores.svg in {}", options.output.display()));
        Box::new(Bloat { looks, scale })
    } else if options.expiry {
        Box::new(Expiries { all: expiry::measure(&servers, directory.path(), &scale).await? })
    } else {
        Box::new(Speed { rows: rounds::measure(&mut servers, directory.path(), &scale).await?, scale })
    };
    report::data(Report { machine, versions: servers.versions.clone(), part });
    Ok(())
}
