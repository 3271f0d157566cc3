//! Tests wait for what they wait for, and not for a while.
//!
//! A sleep in a test is a guess about the machine: too short fails at random, too long wastes everyone's time.
//! Crash and race programs may sleep inside a named bound; the comment says which one.
//! Production code and the instruments of `crates/testbed` are not looked at: there a delay is behaviour.

use super::Finding;
use super::repository::{File, Repository};
use super::rust::{code, first_test_line, has_word};

/// What makes a sleep acceptable, on its line or the one before.
const BOUNDED: &str = "// bounded:";

/// The calls that sleep.
const SLEEPS: &[&str] = &["sleep", "sleep_until", "sleep_ms"];

/// Sleeps in tests that do not name their bound.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    repository.files().iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let Some(text) = &file.text else { return Vec::new() };
    let Some(first) = tests_begin(file, text) else { return Vec::new() };
    let code = code(text);
    let mut previous = "";
    let mut findings = Vec::new();
    for ((number, line), code) in file.lines().zip(code.lines()) {
        let bounded = line.contains(BOUNDED) || previous.contains(BOUNDED);
        if number >= first && calls_sleep(code) && !bounded {
            let what = "a sleep in a test: wait for the event or pause the clock; in a crash or race program \
                        write `// bounded: by what` beside it";
            findings.push(Finding::new(&file.path, number, what));
        }
        previous = line;
    }
    findings
}

/// The line from which on the file holds tests, if it holds any.
fn tests_begin(file: &File, text: &str) -> Option<usize> {
    if file.is_test() { Some(1) } else { first_test_line(text) }
}

fn calls_sleep(code: &str) -> bool {
    SLEEPS.iter().any(|name| has_word(code, name) && code.contains(&format!("{name}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Repository::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_sleep_without_a_bound_is_found_in_test_files_and_test_modules() {
        assert_eq!(found("crates/a/tests/t.rs", "fn t() {\n    thread::sleep(SECOND);\n}\n"), [2]);
        assert_eq!(found("crates/a/tests/t.rs", "time::sleep_until(end).await;\n"), [1]);
        let text = "fn f() { sleep(x) }\n#[cfg(test)]\nmod tests {\n    fn t() { sleep(x) }\n}\n";
        assert_eq!(found("crates/a/src/a.rs", text), [4]);
    }

    #[test]
    fn a_sleep_that_names_its_bound_is_accepted() {
        assert!(found("crates/a/tests/t.rs", "sleep(x); // bounded: 40 kills\n").is_empty());
        assert!(found("crates/a/tests/t.rs", "// bounded: 40 kills\nsleep(x);\n").is_empty());
        assert_eq!(found("crates/a/tests/t.rs", "// bounded: 40 kills\n\nsleep(x);\n"), [3]);
    }

    #[test]
    fn words_about_sleeping_are_no_sleep() {
        assert!(
            found("crates/a/tests/t.rs", "// sleep(x)\nlet x = \"sleep(x)\";\nfn asleep() {}\n").is_empty()
        );
    }
}
