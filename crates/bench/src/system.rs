//! What `/proc` says of the processes that are measured.

use std::{fs, time::Duration};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::failure::Failure;

/// Processes that are one thing to whoever measures them.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<u32>);

impl Processes {
    pub(crate) fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        Self(pids.into_iter().collect())
    }

    /// A process and its children.
    pub(crate) fn family(parent: u32) -> Result<Self, Failure> {
        let mut pids = vec![parent];
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // It may have ended since the directory was read.
            if stat(pid).is_ok_and(|stat| stat.parent == parent) {
                pids.push(pid);
            }
        }
        Ok(Self(pids))
    }

    /// Processor time so far, user and system, all threads.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let sum = self.0.iter().try_fold(0, |sum, pid| Ok::<_, Failure>(sum + stat(*pid)?.ticks))?;
        Ok(ticks(sum))
    }

    /// Bytes of memory that are resident now.
    pub(crate) fn resident(&self) -> Result<u64, Failure> {
        self.status("VmRSS:")
    }

    /// The most that were at any time.
    pub(crate) fn resident_peak(&self) -> Result<u64, Failure> {
        self.status("VmHWM:")
    }

    /// Asks all of them to end.
    pub(crate) fn terminate(&self) {
        let pids = self.0.iter().filter_map(|pid| i32::try_from(*pid).ok()).filter_map(Pid::from_raw);
        // Those that have ended need not be asked.
        pids.for_each(|pid| _ = kill_process(pid, Signal::TERM));
    }

    fn status(&self, name: &str) -> Result<u64, Failure> {
        self.0.iter().try_fold(0, |sum, pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
            let kib = kib.and_then(|number| number.trim().parse::<u64>().ok());
            Ok(sum + 1024 * kib.ok_or_else(|| Failure::new(format!("process {pid} has no {name}")))?)
        })
    }
}

/// Processes with their children, those that have ended included.
#[derive(Clone, Debug)]
pub(crate) struct Family(Vec<u32>);

impl Family {
    pub(crate) fn of(parents: impl IntoIterator<Item = u32>) -> Self {
        Self(parents.into_iter().collect())
    }

    /// Processor time so far. A child that ends while this looks may be missed once.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let mut sum = Duration::ZERO;
        for parent in &self.0 {
            let children = Processes::family(*parent)?;
            // One that has ended meanwhile counts with its parent the next time.
            let living: u64 =
                children.0.iter().filter_map(|pid| stat(*pid).ok()).map(|stat| stat.ticks).sum();
            sum += ticks(stat(*parent)?.of_children + living);
        }
        Ok(sum)
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
    /// Of children that have ended and been waited for.
    of_children: u64,
}

fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_micros(count * 1_000_000 / per_second.max(1))
}

/// proc(5): after the name in parentheses come state and parent; user and system time are 10 and 11 fields further on, then
/// those of children that were waited for.
fn stat(pid: u32) -> Result<Stat, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<i64> = rest.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let at = |index: usize| fields.get(index).and_then(|field| u64::try_from(*field).ok());
    let [Some(parent), Some(user), Some(system), Some(children_user), Some(children_system)] =
        [0, 10, 11, 12, 13].map(at)
    else {
        return Err(Failure::new(format!("/proc/{pid}/stat cannot be read")));
    };
    let of_children = children_user + children_system;
    Ok(Stat { parent: u32::try_from(parent)?, ticks: user + system, of_children })
}

/// How many may wait at a gateway beside `others`, `wanted` at most: raises the limit on open files, which the gateway
/// inherits, as far as that takes and this process may.
pub(crate) fn waiters(wanted: usize, others: usize) -> Result<usize, Failure> {
    let allowed = getrlimit(Resource::Nofile).maximum;
    // Only root may go beyond what is allowed.
    let wished = allowed.map(|allowed| allowed.max(files(wanted + others)));
    let raise = |to| setrlimit(Resource::Nofile, Rlimit { current: to, maximum: to });
    raise(wished).or_else(|_| raise(allowed))?;
    Ok(served(getrlimit(Resource::Nofile).current).saturating_sub(others).min(wanted))
}

/// How many connections a gateway serves under a limit, see `gateway::descriptors`.
fn served(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(2048) / 2).unwrap_or(usize::MAX))
}

/// The limit under which it serves so many.
fn files(connections: usize) -> u64 {
    2048 + 2 * connections as u64
}

/// Bytes that the files of a directory take on its disk, like `du`, as far as their names are wanted.
pub(crate) fn disk_bytes(
    directory: &std::path::Path,
    wanted: impl Fn(&str) -> bool + Copy,
) -> Result<u64, Failure> {
    use std::os::unix::fs::MetadataExt;

    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bytes += disk_bytes(&entry.path(), wanted)?;
        } else if entry.file_name().to_str().is_some_and(wanted) {
            bytes += entry.metadata()?.blocks() * 512;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let this = Processes::of([std::process::id()]);
        let before = this.cpu().unwrap();
        let mut number = 1_u64;
        while this.cpu().unwrap() == before {
            number = number.wrapping_mul(3);
        }
        assert!(number > 0 && this.cpu().unwrap() > before);
        assert!(this.resident().unwrap() > 1 << 20);
        assert!(this.resident_peak().unwrap() >= this.resident().unwrap());
    }

    #[test]
    fn a_limit_is_as_large_as_it_has_to_be() {
        assert_eq!(served(Some(files(10_128))), 10_128);
        assert_eq!(served(Some(files(10_128) - 1)), 10_127);
        assert_eq!(served(None), usize::MAX);
    }

    #[test]
    fn a_child_belongs_to_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = Processes::family(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.0.contains(&child.id()));
    }
}
