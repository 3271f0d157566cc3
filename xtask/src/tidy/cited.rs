//! A page that names a test names one that exists.

use std::collections::BTreeSet;

use super::Finding;
use super::markdown;
use super::repository::Repository;

/// A word in backticks with so many underscores is a test's name: they are claims.
const UNDERSCORES: usize = 3;

/// What looks alike: metrics have a prefix, and shells shout their variables.
const NOT_TESTS: &[&str] = &["onlyonce_"];

/// Names of tests in pages that no function has.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let rust = repository.files().iter().filter(|file| file.is_rust());
    let functions: BTreeSet<&str> = rust
        .flat_map(|file| file.text.as_deref().unwrap_or_default().lines())
        .filter_map(|line| line.split_once("fn ")?.1.split(['(', '<']).next())
        .collect();
    let pages =
        repository.files().iter().filter(|file| file.path.starts_with("docs/") && file.path.ends_with(".md"));
    let mut findings = Vec::new();
    for page in pages {
        for (number, line) in page.lines() {
            let gone = markdown::quoted(line).filter(|name| is_test(name) && !functions.contains(name));
            findings.extend(gone.map(|name| {
                let what = format!("there is no test `{name}`: name the one that shows it now");
                Finding::new(&page.path, number, what)
            }));
        }
    }
    findings
}

fn is_test(name: &str) -> bool {
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_name
        && name.matches('_').count() >= UNDERSCORES
        && !NOT_TESTS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> usize {
        let code = "#[test]\nfn a_key_runs_once() {}\n    async fn a_repeat_runs_never<T>() {}\n";
        check(&Repository::of(&[("docs/a.md", page), ("crates/a/src/a.rs", code)])).len()
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        assert_eq!(found("see `a_key_runs_twice` and `a_key_runs_once`"), 1);
    }

    #[test]
    fn tests_that_exist_and_other_words_are_fine() {
        assert_eq!(found("`a_key_runs_once`, `a_repeat_runs_never`"), 0);
        assert_eq!(found("`retain_key`, `onlyonce_key_reuse_age_seconds`, `ONLYONCE_A_B_C`, `a_b_c d`"), 0);
    }
}
