//! A temporary directory in which a server works, and the guard that ends what works there.

use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;
use crate::chance;

const GUARD: &str = include_str!("guard.sh");
/// Where the server works; what is beside it is ours.
const DATA: &str = "data";
/// Most lines of a log that are shown.
const SHOWN: usize = 60;

/// A directory that goes, with all processes that work in it, when this is dropped or the test dies.
///
/// It outlives the processes, so that a server finds its data again.
#[derive(Debug)]
pub struct Place {
    directory: PathBuf,
    account: Account,
    guard: Child,
}

impl Place {
    /// A new directory for `account`. `signal` is what ends its server at once and leaves nothing behind.
    pub(super) fn new(label: &str, account: Account, signal: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("onlyonce-{label}-{:016x}", chance::bits()));
        for path in [directory.clone(), directory.join(DATA)] {
            DirBuilder::new().mode(0o700).create(&path).expect("a test may have a temporary directory");
            account.own(&path);
        }
        let mut guard = Command::new("sh");
        // In a group of its own: the keyboard's interrupt ends the test, and the guard what the test leaves.
        guard.args(["-c", GUARD, "guard"]).arg(&directory).arg(signal).process_group(0).current_dir("/");
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().expect("a shell can be started");
        Self { directory, account, guard }
    }

    /// The directory in which the server works.
    pub fn data(&self) -> PathBuf {
        self.directory.join(DATA)
    }

    /// Writes a file beside the data, for the server's eyes only.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file in our own directory");
        self.account.own(&path);
        path
    }

    /// A program that works here, under the account, and writes into the log.
    pub(super) fn command(&self, program: &Path) -> Command {
        let log =
            || File::options().append(true).create(true).open(self.log_path()).expect("a log of our own");
        let mut command = Command::new(program);
        command.current_dir(self.data()).stdin(Stdio::null()).stdout(log()).stderr(log());
        // Signals go where a test sends them: not the keyboard's.
        command.process_group(0);
        self.account.run(&mut command);
        command
    }

    /// Runs a program here to its end.
    ///
    /// # Panics
    /// With the log, if it fails.
    pub(super) fn run(&self, program: &Path, args: &[&str]) {
        let status = self.command(program).args(args).status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "{} ended with {status:?}:\n{}",
            program.display(),
            self.log()
        );
    }

    /// The end of what the programs have written.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
    }

    /// The processes that work here: the server, and what it has started.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        let here = identity(&self.data());
        // Those of others cannot be looked at, nor those that are gone.
        let works_here = |path: &Path| here.is_some() && identity(&path.join("cwd")) == here;
        let all = fs::read_dir("/proc").expect("there is /proc").flatten();
        all.filter(|entry| works_here(&entry.path()))
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .collect()
    }

    /// Signals all that work here.
    pub(super) fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // It may have ended meanwhile.
            let _ = kill_process(process, signal);
        }
    }

    /// Ends all that works here and removes the directory.
    pub(super) fn end(&mut self) {
        drop(self.guard.stdin.take());
        // Bounded by the guard's own tries. What cannot be waited for has ended.
        let _ = self.guard.wait();
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("log")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end();
    }
}
