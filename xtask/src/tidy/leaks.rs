//! The repository is about the project: not about the machine it was written on, nor about how it was planned.
//!
//! Invariant: a clone means the same to every reader; no text needs a file that is not in it.

use std::iter;

use super::Finding;
use super::repository::{File, Repository};
use super::rust::{code, has_word};

/// This file names what must not be named, and the licences shout.
const EXEMPT: &[&str] = &["xtask/src/tidy/leaks.rs", "LICENSE-MIT", "LICENSE-APACHE"];

/// Where people and build machines keep their files; no text of ours needs an absolute path there.
const MACHINE_PATHS: &[&str] =
    &["/home/", "/root/", "/Users/", "/work/", "/workspace/", "/builds/", "/mnt/", ".cargo/registry"];

/// Notes and plans that are not part of the repository, in the case in which they are written.
const NOTES: &[&str] = &["CONTRACT", "DESIGN", "HAZARDS", "STYLE", "FIELD.md", "FIXME"];

/// Lists of the planning that are numbered: `hazard B3` cannot be looked up here, the story can be told.
const NUMBERED: &str = "hazard";

/// Traces of the tools a text was made with, in any case.
const TRACES: &[&str] = &["co-authored-by", "language model", "subagent", "sub-agent"];

/// The only registry that a clone may depend on, as the lock file writes it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Lines that only make sense on one machine or beside texts that readers do not have.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    repository
        .files()
        .iter()
        .filter(|file| !EXEMPT.contains(&file.path.as_str()))
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let text = file.text.as_deref().unwrap_or_default();
    // A constant may be called what it likes; only Rust is told apart from what is written beside it.
    let code = if file.is_rust() { code(text) } else { String::new() };
    let identifiers = code.lines().chain(iter::repeat(""));
    let lines = file.lines().zip(identifiers);
    let findings = lines.filter_map(|((number, line), code)| Some((number, complaint(line, code)?)));
    findings.map(|(number, what)| Finding::new(&file.path, number, what)).collect()
}

fn complaint(line: &str, code: &str) -> Option<String> {
    machine_path(line).or_else(|| word(line, code)).or_else(|| numbered(line)).or_else(|| registry(line))
}

fn machine_path(line: &str) -> Option<String> {
    let path = MACHINE_PATHS.iter().find(|path| starts_a_path(line, path))?;
    Some(format!("`{path}` is a path of one machine: make it relative or take it from the environment"))
}

/// `/work/x` is a path of a machine, `examples/work/x` is not.
fn starts_a_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*');
    line.match_indices(path).any(|(at, _)| !path.starts_with('/') || !line.split_at(at).0.ends_with(inside))
}

fn word(line: &str, code: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let note = NOTES.iter().find(|note| has_word(line, note) && !has_word(code, note));
    let word = note.or_else(|| TRACES.iter().find(|trace| has_word(&lower, trace)))?;
    Some(format!("`{word}` is no word of this repository: say it in its own words or name one of its files"))
}

fn numbered(line: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if word.strip_suffix('s').unwrap_or(word) == NUMBERED
            && words.peek().is_some_and(|next| is_number(next))
        {
            return Some(format!(
                "a numbered `{NUMBERED}` cannot be looked up here: tell its story in a line"
            ));
        }
    }
    None
}

/// `a1` to `g99`, as the lists of the planning count.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(|c| matches!(c, 'a'..='g'));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn registry(line: &str) -> Option<String> {
    let elsewhere = line.starts_with("source = ") && !line.contains(REGISTRY);
    let what = "a clone takes its dependencies from crates.io only: remove the other source";
    (elsewhere || line.starts_with("replace-with")).then(|| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        !check(&Repository::of(&[("docs/a.md", &format!("first\n{line}\n"))])).is_empty()
    }

    #[test]
    fn what_belongs_to_one_machine_is_found() {
        for line in [
            "see /home/ana/onlyonce",
            "`/work/x`",
            "path=/root/x",
            "~/.cargo/registry/src",
            "source = \"registry+http://10.0.0.1/index\"",
            "replace-with = \"mirror\"",
        ] {
            assert!(found(line), "{line}");
        }
    }

    #[test]
    fn what_belongs_to_the_planning_is_found() {
        for line in [
            "// see CONTRACT 4",
            "DESIGN.md says",
            "// FIXME: later",
            "Co-Authored-By: x",
            "/// hazard B3.",
            "Hazards A1, A2",
        ] {
            assert!(found(line), "{line}");
        }
    }

    #[test]
    fn a_constant_may_be_called_what_it_likes() {
        let found = |text| check(&Repository::of(&[("crates/a/src/a.rs", text)])).len();
        assert_eq!(found("const STYLE: &str = \"x\";\n"), 0);
        assert_eq!(found("// STYLE says so\nconst A: &str = \"x\";\n"), 1);
    }

    #[test]
    fn what_belongs_to_the_project_is_not() {
        for line in [
            "the contract, by design",
            "the directory examples/work/ and https://example.com/work/x",
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"",
            "User-Agent: x",
            "the hazard of a lost reply",
            "/// F25: a claim that was sent again",
        ] {
            assert!(!found(line), "{line}");
        }
    }
}
