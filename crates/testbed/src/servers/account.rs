//! As whom a server runs: PostgreSQL and pgbouncer refuse to run as root.

use std::{fs, os::unix::process::CommandExt, path::Path, process::Command};

/// Whose accounts a server may have where the test is root, the first that there is.
const NAMES: &[&str] = &["postgres", "nobody"];

/// The account of a server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Account {
    /// That of the test.
    Ours,
    /// Another's, because the test is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// An account that is not root.
    pub(super) fn unprivileged() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Ours;
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("a system has accounts");
        let found = NAMES.iter().find_map(|name| accounts.lines().find_map(|line| entry(line, name)));
        found.unwrap_or_else(|| panic!("a server may not run as root, and there is none of {NAMES:?}"))
    }

    /// Has the command run as this account.
    pub(super) fn run(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives it a file or directory.
    pub(super) fn own(self, path: &Path) {
        if let Self::Other { uid, gid } = self {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root gives files away");
        }
    }
}

/// `name:password:uid:gid:…`
fn entry(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let found = fields.next()? == name;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    found.then_some(Account::Other { uid, gid })
}
