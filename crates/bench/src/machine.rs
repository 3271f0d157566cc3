//! On what it was measured.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// Syncs of which the middle one counts.
const SYNCS: usize = 200;
/// Bytes written before each.
const SYNCED: [u8; 4096] = [7; 4096];

/// A machine, as far as the numbers depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// What a durable write costs at least: 4 KiB appended and `fdatasync`.
    pub(crate) sync: Duration,
    /// Processes that wanted to run, over the last minute before the measurement.
    pub(crate) load: String,
}

impl Machine {
    /// Looks at this one, and at the disk that `directory` lies on.
    pub(crate) fn look(directory: &Path) -> Result<Self, Failure> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            processor: model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':'])).to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            sync: sync(&directory.join("sync"))?,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

fn sync(path: &Path) -> Result<Duration, Failure> {
    let mut file = File::create(path)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&SYNCED)?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took.get(SYNCS / 2).copied().unwrap_or_default())
}
