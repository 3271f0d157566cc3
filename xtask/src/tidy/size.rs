//! Files stay small enough to be read in one sitting.
//!
//! Invariant: an exception only ever shrinks; once its file is shorter, so is what it is allowed.
//! Tests do not count, neither at the end of a file nor in files of their own.

use super::Finding;
use super::repository::{File, Repository};
use super::rust;

/// The longest that a file may be, in lines of production code.
const LIMIT: usize = 440;

/// Where exceptions are written: this file.
const HERE: &str = "xtask/src/tidy/size.rs";

/// A file that may be longer than the others.
struct Exception {
    path: &'static str,
    lines: usize,
    /// Why splitting it would make it worse.
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

/// Files over the limit, and exceptions that are wider than they need to be.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    judge(repository, EXCEPTIONS)
}

fn judge(repository: &Repository, exceptions: &[Exception]) -> Vec<Finding> {
    let mut findings: Vec<_> =
        repository.files().iter().filter_map(|file| too_long(file, exceptions)).collect();
    findings.extend(exceptions.iter().filter_map(|exception| stale(repository, exception)));
    findings
}

fn too_long(file: &File, exceptions: &[Exception]) -> Option<Finding> {
    let exception = exceptions.iter().find(|exception| exception.path == file.path);
    let limit = exception.map_or(LIMIT, |exception| exception.lines);
    let lines = production_lines(file)?;
    let what = match exception {
        None => format!("{lines} lines, at most {LIMIT}: split it by what its parts are for"),
        Some(Exception { reason, .. }) => {
            format!("{lines} lines, at most {limit} although {reason}: split it")
        }
    };
    (lines > limit).then(|| Finding::new(&file.path, limit + 1, what))
}

fn stale(repository: &Repository, exception: &Exception) -> Option<Finding> {
    let Exception { path, lines: allowed, .. } = exception;
    let file = repository.files().iter().find(|file| file.path == *path);
    let lines = file.and_then(production_lines).unwrap_or_default();
    let what = match lines {
        _ if lines >= *allowed => return None,
        0..=LIMIT => format!("{path} needs no exception any more: remove it"),
        _ => format!("{path} has shrunk to {lines} lines: write that in place of {allowed}"),
    };
    Some(Finding::new(HERE, repository.line_of(HERE, path), what))
}

/// The lines before the tests; `None` for what is not production code.
fn production_lines(file: &File) -> Option<usize> {
    let text = file.text.as_ref().filter(|_| file.is_production_rust())?;
    let tests = rust::first_test_line(text).map(|line| line - 1);
    Some(tests.unwrap_or_else(|| text.lines().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/core/src/decide.rs";

    fn found(lines: usize, exceptions: &[Exception]) -> Vec<String> {
        let text = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(lines), "y\n".repeat(900));
        judge(&Repository::of(&[(PATH, &text)]), exceptions).iter().map(Finding::to_string).collect()
    }

    fn exception(lines: usize) -> [Exception; 1] {
        [Exception { path: PATH, lines, reason: "it is one table" }]
    }

    #[test]
    fn a_file_over_the_limit_is_found_and_its_tests_do_not_count() {
        assert!(found(LIMIT, &[]).is_empty());
        let one_more = format!("{PATH}:{0}: {0} lines, at most {LIMIT}", LIMIT + 1);
        assert!(found(LIMIT + 1, &[])[0].starts_with(&one_more));
    }

    #[test]
    fn files_that_hold_only_tests_may_be_long() {
        let long = "x\n".repeat(LIMIT + 1);
        let repository =
            Repository::of(&[(PATH, &long), ("crates/core/src/decide/tests.rs", &long), ("a.md", &long)]);
        let paths: Vec<_> = check(&repository).into_iter().map(|finding| finding.path).collect();
        assert!(paths.iter().filter(|path| *path != HERE).eq([PATH]), "{paths:?}");
    }

    #[test]
    fn an_exception_holds_up_to_its_own_limit() {
        assert!(found(500, &exception(500)).is_empty());
        assert!(found(501, &exception(500))[0].contains("at most 500 although it is one table"));
    }

    #[test]
    fn an_exception_that_is_too_wide_is_found() {
        assert!(found(480, &exception(500))[0].contains("has shrunk to 480 lines"));
        assert!(found(LIMIT, &exception(500))[0].contains("needs no exception any more"));
    }
}
