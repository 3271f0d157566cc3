//! Where a server's programs are.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where Debian puts PostgreSQL, one directory for each version.
const POSTGRES: &str = "/usr/lib/postgresql";
/// Where Debian puts what only root looks for.
const SBIN: &str = "/usr/sbin";

/// The directory of PostgreSQL's programs: on the search path, else the newest of Debian's.
///
/// # Panics
/// If there is none.
pub(super) fn postgres() -> PathBuf {
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres", "psql"].iter().all(|name| directory.join(name).is_file())
    };
    let found = search_path().into_iter().find(complete).or_else(|| {
        let versions = fs::read_dir(POSTGRES).into_iter().flatten().flatten();
        let numbered =
            versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
        let mut numbered: Vec<(u32, PathBuf)> = numbered.collect();
        numbered.sort();
        numbered.into_iter().rev().map(|(_, path)| path.join("bin")).find(complete)
    });
    found.unwrap_or_else(|| missing("initdb"))
}

/// A program on the search path or beside it.
///
/// # Panics
/// If there is none.
pub fn program(name: &str) -> PathBuf {
    let mut directories = search_path();
    directories.push(SBIN.into());
    let found =
        directories.into_iter().map(|directory| directory.join(name)).find(|path| Path::is_file(path));
    found.unwrap_or_else(|| missing(name))
}

#[expect(clippy::disallowed_methods, reason = "the environment of a test says where its programs are")]
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

fn missing(name: &str) -> ! {
    panic!("this test needs `{name}`, which is not installed: run `cargo xtask tools` as root")
}
