//! How long a gateway takes to start on a ledger that is full, and what each record takes on disk.

use std::{path::Path, time::Duration};

use crate::{failure::Failure, fill, gateway::Running, report, system};

/// How often it is started. The first start reads the journal of the process that filled the ledger.
const STARTS: usize = 3;
/// Bytes of each result's body.
const RESULT: usize = 500;

/// What a full ledger costs.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    pub(crate) records: u64,
    /// All of the directory, like `du`.
    pub(crate) disk_bytes: u64,
    /// Of that, journals: they are bounded, whatever the number of records.
    pub(crate) journal_bytes: u64,
    /// From the start of the process to its first answer being possible, once for each start.
    pub(crate) started_in: Vec<Duration>,
    /// The last one's.
    pub(crate) resident: u64,
}

impl Full {
    /// What has left the journals.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.disk_bytes - self.journal_bytes
    }

    /// What one more record takes. It says nothing of a ledger so small that most of it is still in the journals.
    pub(crate) fn bytes_per_record(&self) -> u64 {
        self.file_bytes() / self.records.max(1)
    }

    /// The slowest: what somebody waits for.
    pub(crate) fn slowest(&self) -> Duration {
        self.started_in.iter().max().copied().unwrap_or_default()
    }
}

pub(crate) async fn measure(onlyonce: &Path, directory: &Path, records: u64) -> Result<Full, Failure> {
    report::note(format_args!("{records} records"));
    let ledger = directory.join("full");
    // Another process, so that nothing of it stays in this one's memory.
    let mut filler = std::process::Command::new(std::env::current_exe()?);
    let filled = filler.arg("fill").arg(&ledger).args(["--records", &records.to_string()]);
    let status = filled.args(["--bytes", &RESULT.to_string(), "--secret", fill::SECRET]).status()?;
    if !status.success() {
        return Err(Failure::new(format!("the ledger was not filled: {status}")));
    }
    let disk_bytes = system::disk_bytes(&ledger, |_| true)?;
    let journal_bytes = system::disk_bytes(&ledger, |name| name.ends_with(".jnl"))?;
    let nowhere = ([127, 0, 0, 1], 9).into();
    let (mut started_in, mut resident) = (Vec::new(), 0);
    for _ in 0..STARTS {
        let gateway = Running::start(onlyonce, &ledger, nowhere, "").await?;
        started_in.push(gateway.started_in);
        resident = gateway.processes.resident()?;
        gateway.stop().await?;
    }
    Ok(Full { records, disk_bytes, journal_bytes, started_in, resident })
}
