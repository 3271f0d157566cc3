//! The tests of what is written in Python, by Python's own test runner.
//!
//! Invariant: no test at all is a failure; older Pythons call that a success.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::{console, process, workspace};

/// What the runner prints when it found nothing to run.
const NOTHING_RAN: &str = "Ran 0 tests";

/// The directories that have tests in Python.
const DIRECTORIES: &[&str] = &["examples/python", "benches/field"];

/// Runs the tests of all of them.
pub(super) fn run() -> Result<(), Failure> {
    DIRECTORIES.iter().try_for_each(|directory| run_in(&workspace::root().join(directory)))
}

fn run_in(directory: &Path) -> Result<(), Failure> {
    if !has_tests(directory) {
        return Err(Failure::new(format!("{} has no test_*.py", directory.display())));
    }
    let mut command = Command::new("python3");
    // No `__pycache__` in the tree: a build leaves nothing behind but `target`.
    command.args(["-B", "-m", "unittest", "-v"]).current_dir(directory).stdin(Stdio::null());
    let line = process::line(&command);
    let output =
        command.output().map_err(|error| Failure::new(format!("failed to start `{line}`: {error}")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    console::note(format_args!("{}{report}", String::from_utf8_lossy(&output.stdout)));
    if !output.status.success() {
        return Err(Failure::new(format!("`{line}` ended with {}", output.status)));
    }
    if report.contains(NOTHING_RAN) {
        return Err(Failure::new(format!("`{line}` found no test to run")));
    }
    Ok(())
}

fn has_tests(directory: &Path) -> bool {
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .any(|name| name.starts_with("test") && name.ends_with(".py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own under cargo's scratch directory.
    fn directory(name: &str, test: Option<&str>) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("onlyonce-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        if let Some(test) = test {
            fs::write(path.join("test_example.py"), test).unwrap();
        }
        path
    }

    #[test]
    fn an_example_without_a_test_file_fails() {
        let path = directory("none", None);
        assert!(run_in(&path).unwrap_err().to_string().contains("no test_*.py"));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_test_file_without_a_test_fails() {
        let path = directory("empty", Some("import unittest\n"));
        assert!(run_in(&path).is_err());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_failing_test_fails_and_a_passing_one_passes() {
        let body = |claim: &str| {
            format!(
                "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.{claim}\n"
            )
        };
        let red = directory("red", Some(&body("fail('broken')")));
        let green = directory("green", Some(&body("assertTrue(True)")));
        assert!(run_in(&red).is_err());
        assert!(run_in(&green).is_ok());
        fs::remove_dir_all(red).unwrap();
        fs::remove_dir_all(green).unwrap();
    }
}
