//! What is in the tree is finished, and every test runs.

use super::Finding;
use super::repository::{File, Repository};
use super::rust::{code, has_word};

/// Code that stands in for code, and what to do instead.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave the seam without a stub"),
    ("unimplemented!", "finish it, or leave the seam without a stub"),
    ("dbg!", "remove it, or log through tracing"),
    ("#[ignore", "a test that does not run proves nothing: make it run, bounded, or remove it"),
];

/// Stubs, ignored tests and examples in documentation that are never run.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    repository.files().iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let code = code(file.text.as_deref().unwrap_or_default());
    let stubs = (1..).zip(code.lines()).filter_map(|(number, line)| Some((number, stub(line)?)));
    let examples = file.lines().filter_map(|(number, line)| Some((number, unrun_example(line)?)));
    stubs.chain(examples).map(|(number, what)| Finding::new(&file.path, number, what)).collect()
}

fn stub(line: &str) -> Option<String> {
    let (name, what) = UNFINISHED.iter().find(|(name, _)| stands_in(line, name))?;
    Some(format!("`{name}`: {what}"))
}

fn stands_in(line: &str, name: &str) -> bool {
    match name.strip_suffix('!') {
        Some(word) => has_word(line, word) && line.contains(name),
        None => line.contains(name),
    }
}

fn unrun_example(line: &str) -> Option<String> {
    let fence = line.trim_start().trim_start_matches(['/', '!', ' ']).strip_prefix("```")?;
    let unrun = fence.split(',').any(|word| word.trim() == "ignore");
    unrun.then(|| "this example is never compiled: let it run, or write it as `text`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        !check(&Repository::of(&[("crates/a/src/lib.rs", line)])).is_empty()
    }

    #[test]
    fn stubs_ignored_tests_and_unrun_examples_are_found() {
        for line in [
            "fn f() { todo!() }",
            "unimplemented!(\"x\")",
            "dbg!(x)",
            "    #[ignore = \"slow\"]",
            "/// ```rust,ignore",
        ] {
            assert!(found(line), "{line}");
        }
    }

    #[test]
    fn words_about_stubs_are_not_stubs() {
        for line in ["// no todo! here", "let x = \"todo!\";", "mytodo!()", "/// ```", "/// #[ignore]"] {
            assert!(!found(line), "{line}");
        }
    }
}
