//! What the checks look at: the files of the tree and the packages of the lock file.
//!
//! Invariant: paths are relative to the root and use `/`, in one fixed order, so findings never move between runs.
//! It judges nothing, and needs no git: an unpacked archive is checked like a clone.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::metadata::{self, Package};
use crate::workspace;

/// Directories that hold what was built, installed or stored, and not the project.
const SKIPPED: &[&str] = &[".git", "target", "onlyonce-data", "__pycache__"];

/// A file of the tree.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// What it says; `None` for pictures and other files that are not UTF-8.
    pub(super) text: Option<String>,
}

impl File {
    /// Rust that ends up in what users run: sources of crates, their test files left out.
    pub(super) fn is_production_rust(&self) -> bool {
        self.is_source() && !self.is_test()
    }

    /// Rust below a `src` directory.
    pub(super) fn is_source(&self) -> bool {
        let mut parts = self.path.split('/');
        let in_src = match parts.next() {
            Some("crates") => parts.nth(1) == Some("src"),
            Some("xtask") => parts.next() == Some("src"),
            _ => false,
        };
        in_src && self.is_rust()
    }

    /// A Rust file that holds nothing but tests.
    pub(super) fn is_test(&self) -> bool {
        self.is_rust() && self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// Any Rust file.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Its lines with their numbers, from one; none for a binary file.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.iter().flat_map(|text| text.lines()))
    }
}

/// The tree and its dependencies.
#[derive(Debug, Default)]
pub(super) struct Repository {
    files: Vec<File>,
    packages: Vec<Package>,
}

impl Repository {
    /// This repository.
    pub(super) fn load() -> Result<Self, Failure> {
        let mut files = Vec::new();
        walk(workspace::root(), "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files, packages: metadata::packages()? })
    }

    /// All files.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// All packages of the lock file, ours included.
    pub(super) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }

    /// Whether a file or a directory lies there; the empty path is the root.
    pub(super) fn has(&self, path: &str) -> bool {
        let below = |file: &File| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path.is_empty() || self.files.iter().any(|file| file.path == path || below(file))
    }

    /// The first line of a file that contains the text; the first line of all where none does.
    pub(super) fn line_of(&self, path: &str, text: &str) -> usize {
        let position = self.text(path).and_then(|all| all.lines().position(|line| line.contains(text)));
        position.map_or(1, |index| index + 1)
    }
}

fn walk(directory: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("failed to read {}: {error}", directory.display()));
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(failed)?;
        if SKIPPED.contains(&name.as_str()) {
            // A second worktree has a file `.git`.
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).map_err(failed)?;
            files.push(File { path, text: String::from_utf8(bytes).ok() });
        }
    }
    Ok(())
}

/// Repositories made up for the tests of the checks.
#[cfg(test)]
impl Repository {
    /// One that holds these files.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) };
        Self { files: files.iter().map(file).collect(), packages: Vec::new() }
    }

    /// The same with packages, each with a name and a licence.
    pub(super) fn with_packages(mut self, packages: &[(&str, Option<&str>)]) -> Self {
        let package = |(name, license): &(&str, Option<&str>)| Package {
            name: (*name).to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
        };
        self.packages = packages.iter().map(package).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.to_owned(), text: None }
    }

    #[test]
    fn production_is_what_lies_in_src_and_is_not_a_test() {
        for path in ["crates/core/src/lib.rs", "crates/core/src/key/syntax.rs", "xtask/src/tidy/size.rs"] {
            assert!(file(path).is_production_rust(), "{path}");
        }
        for path in
            ["crates/core/tests/a.rs", "crates/core/src/key/tests.rs", "examples/a/src/main.rs", "a/src/x"]
        {
            assert!(!file(path).is_production_rust(), "{path}");
        }
    }

    #[test]
    fn a_directory_exists_if_something_lies_in_it() {
        let repository = Repository::of(&[("docs/a/b.md", "")]);
        assert!(repository.has("") && repository.has("docs") && repository.has("docs/a/b.md"));
        assert!(!repository.has("doc") && !repository.has("docs/b.md"));
    }

    #[test]
    fn loading_finds_this_file_and_nothing_that_was_built() {
        let repository = Repository::load().unwrap();
        assert!(repository.has("xtask/src/tidy/repository.rs") && repository.has(".ci/run"));
        assert!(!repository.has("target") && !repository.has(".git"));
        assert!(repository.packages().iter().any(|package| package.name == "xtask"));
    }
}
