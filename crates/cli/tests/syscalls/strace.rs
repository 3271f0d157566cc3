//! The tracer around a gateway.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::trace::{self, Call};

/// The calls that move bytes to a socket or a file, and those that say which is which.
const CALLS: &str = "trace=connect,accept,accept4,close,fdatasync,fsync,sync_file_range,msync,write,writev,pwrite64,\
                     pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,io_uring_enter";

/// One run of strace, whose record outlives the traced process.
pub(crate) struct Strace {
    directory: TempDir,
    inject: String,
}

impl Strace {
    /// A tracer that also tampers with calls as `inject` says (strace(1), "Tampering").
    ///
    /// # Panics
    /// If strace is not installed: a run without it would show nothing.
    pub(crate) fn new(inject: &str) -> Self {
        let found = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
        assert!(found, "strace is not installed; `cargo xtask tools` installs it");
        let directory = tempfile::tempdir().expect("there is room for a directory");
        Self { directory, inject: format!("inject={inject}") }
    }

    /// What comes before the program's own command line. `-D` makes the tracer the grandchild and the program the
    /// child, `-f` follows its threads, `-y` names files.
    pub(crate) fn command(&self) -> Vec<String> {
        let record = self.record();
        let record = record.to_str().expect("temporary paths are text");
        ["strace", "-D", "-f", "-y", "-s", "16", "-o", record, "-e", CALLS, "-e", &self.inject, "--"]
            .map(ToOwned::to_owned)
            .into()
    }

    /// All calls, once the traced process has ended.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let text = std::fs::read_to_string(self.record()).expect("strace has written its record");
        let ended = text.lines().last().is_some_and(|line| line.contains("+++ "));
        assert!(ended, "the record ends before the process did:\n{text}");
        trace::parse(&text)
    }

    fn record(&self) -> PathBuf {
        self.directory.path().join("record")
    }
}
