//! A small disk that can be filled up and made read-only: a tmpfs in a mount namespace of its own.
//!
//! A shell holds the namespace; everybody else reaches the disk through the shell's root directory in `/proc`. When
//! the shell is gone, so is the disk, and nothing is left behind whatever becomes of the test.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

const HOLDER: &str = r#"
mount -t tmpfs -o size="$1",mode=0700 onlyonce-test "$0" && echo done &&
while read -r line; do if eval "$line"; then echo done; else echo failed; fi; done
"#;

/// A disk of its own.
pub(crate) struct Disk {
    holder: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    mounted_on: TempDir,
}

impl Disk {
    /// A disk with so many MiB.
    ///
    /// # Panics
    /// Where it cannot be made, with what it takes.
    pub(crate) fn of_mib(size: u32) -> Self {
        let mounted_on = tempfile::tempdir().expect("there is room for a directory");
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", HOLDER])
            .arg(mounted_on.path())
            .arg(format!("{size}m"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need `unshare` (util-linux) to mount a small disk");
        let orders = holder.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(holder.stdout.take().expect("it is a pipe"));
        let mut disk = Self { holder, orders, answers, mounted_on };
        if disk.answer() != "done" {
            let mut why = String::new();
            let _ = disk.holder.stderr.take().expect("it is a pipe").read_to_string(&mut why);
            panic!(
                "these tests mount a small disk, and may not: {why}they need root, or user namespaces for everybody \
                 (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
            );
        }
        disk
    }

    /// Where it can be reached from here.
    pub(crate) fn path(&self) -> PathBuf {
        let inside = self.mounted_on.path().strip_prefix("/").expect("temporary paths are absolute");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// Fills it up to so many MiB that stay free, until the file that is returned is dropped.
    pub(crate) fn fill_but(&self, free: u64) -> Filler {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let leave = free << 20;
        let block = vec![0xff; 64 << 10];
        while free_bytes(&self.path()) > leave {
            let room = usize::try_from(free_bytes(&self.path()) - leave).unwrap_or(usize::MAX);
            match file.write(&block[..room.min(block.len())]) {
                Ok(1..) => {}
                // Somebody else took the last block.
                Ok(0) | Err(_) => break,
            }
        }
        Filler(path)
    }

    /// Lets nobody write to it, or everybody again.
    pub(crate) fn remount(&mut self, mode: &str) {
        writeln!(self.orders, "mount -o remount,{mode} '{}'", self.mounted_on.path().display()).unwrap();
        assert_eq!(self.answer(), "done", "a disk that nobody writes to can be remounted {mode}");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A file that takes up space.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn free_bytes(path: &Path) -> u64 {
    let disk = rustix::fs::statvfs(path).unwrap();
    disk.f_bavail * disk.f_frsize
}
