//! Every fault that other systems had, and that a finished part of ours must not have, is a test.
//!
//! Invariant: an id counts only where something runs: in the name of a function, or in the documentation of a
//! test. A comment elsewhere proves nothing.

use super::Finding;
use super::repository::Repository;
use super::rust::has_word;

mod catalogue;

use catalogue::{FAULTS, FINISHED_PARTS, Fault, Part};

/// The file that lists the faults.
const CATALOGUE: &str = "xtask/src/tidy/faults/catalogue.rs";

/// Faults of finished parts that no test shows to be absent.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    judge(repository, FINISHED_PARTS)
}

fn judge(repository: &Repository, finished: &[Part]) -> Vec<Finding> {
    let claims: Vec<String> = repository
        .files()
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.is_rust())
        .flat_map(|file| claims(file.text.as_deref().unwrap_or_default()))
        .collect();
    let due = FAULTS.iter().filter(|fault| finished.contains(&fault.part));
    let missing = due.filter(|fault| !claims.iter().any(|claim| names(claim, fault)));
    missing
        .map(|Fault { id, summary, .. }| {
            let what = format!("no test shows that we do not have {id} ({summary}): name one after it");
            Finding::new(CATALOGUE, repository.line_of(CATALOGUE, id), what)
        })
        .collect()
}

/// The name of each function, with its documentation where it is a test.
fn claims(text: &str) -> Vec<String> {
    let mut claims = Vec::new();
    let mut documentation = String::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(words) = line.strip_prefix("///") {
            documentation.push_str(words);
        } else if line.starts_with("#[") {
            is_test |= has_word(line, "test");
        } else if line.starts_with("//") {
            continue;
        } else {
            let documentation = std::mem::take(&mut documentation);
            let documentation = if std::mem::take(&mut is_test) { documentation } else { String::new() };
            claims.extend(function_name(line).map(|name| format!("{name} {documentation}")));
        }
    }
    claims
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_item =
        before.split_whitespace().all(|word| word.starts_with("pub") || word == "async" || word == "const");
    after.split(['(', '<']).next().filter(|_| is_item)
}

/// `f01_…`, `…_f01` or `F01` as a word.
fn names(claim: &str, fault: &Fault) -> bool {
    let lower = fault.id.to_lowercase();
    let in_name = claim.split(' ').next().is_some_and(|name| name.split('_').any(|word| word == lower));
    in_name || has_word(claim, fault.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(text: &str) -> Vec<String> {
        let repository = Repository::of(&[("crates/gateway/tests/a.rs", text)]);
        let findings = judge(&repository, &[Part::Gateway]);
        findings.iter().map(|finding| finding.what.split(' ').nth(8).unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn without_tests_every_fault_of_a_finished_part_is_missing() {
        assert_eq!(missing("").len(), FAULTS.len());
        assert!(judge(&Repository::default(), &[]).is_empty(), "no part is finished");
        let due = FAULTS.iter().filter(|fault| FINISHED_PARTS.contains(&fault.part)).count();
        assert_eq!(check(&Repository::default()).len(), due);
    }

    #[test]
    fn a_name_or_the_documentation_of_a_test_counts() {
        for text in [
            "#[test]\nfn f07_a_hundred_replays() {}\n",
            "    async fn replays_do_not_refuse_each_other_f07() {}\n",
            "/// Shows F07 and F08.\n#[tokio::test]\nasync fn replays() {}\n",
            "#[test]\n// why\n/// (F07)\n#[expect(x)]\nfn replays() {}\n",
        ] {
            let missing = missing(text);
            assert!(
                !missing.contains(&"F07".to_owned()) && missing.contains(&"F01".to_owned()),
                "{text}: {missing:?}"
            );
        }
    }

    #[test]
    fn a_mention_elsewhere_does_not_count() {
        for text in [
            "//! F07\n",
            "// F07\n#[test]\nfn replays() {}\n",
            "/// F07\nfn production() {}\n",
            "/// F07\n#[test]\nfn a() {}\nconst F07: u8 = 0;\n",
            "let f07 = 1;\n",
        ] {
            let expected = text.contains("fn a");
            assert_eq!(!missing(text).contains(&"F07".to_owned()), expected, "{text}");
        }
    }

    #[test]
    fn no_fault_is_listed_twice() {
        let mut ids: Vec<_> = FAULTS.iter().map(|fault| fault.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), FAULTS.len());
    }
}
