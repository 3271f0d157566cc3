//! Every problem of the catalogue has its section in the reference, and no section is about another one.

use super::Finding;
use super::markdown;
use super::repository::Repository;

const CATALOGUE: &str = "crates/core/src/problem.rs";
const PAGE: &str = "docs/reference/problems.md";

/// Problems without a section, and sections without a problem.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let names = names(repository.text(CATALOGUE).unwrap_or_default());
    let page = repository.text(PAGE).unwrap_or_default();
    // Titles of several words are about all of them.
    let sections: Vec<_> = markdown::headings(page).filter(|(_, title)| !title.contains(' ')).collect();
    let missing = names.iter().filter(|(_, name)| !sections.iter().any(|(_, title)| title == name));
    let missing = missing.map(|(line, name)| {
        Finding::new(
            CATALOGUE,
            *line,
            format!("`{name}` has no section in {PAGE}: say what it means and what to do"),
        )
    });
    let gone = sections.iter().filter(|(_, title)| !names.iter().any(|(_, name)| name == title));
    let gone = gone.map(|(line, title)| Finding::new(PAGE, *line, format!("there is no problem `{title}`")));
    missing.chain(gone).collect()
}

/// The first string after each `problem(` of a constant.
fn names(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut due = false;
    for (number, line) in (1..).zip(text.lines()) {
        due |= line.starts_with("pub const ") && line.contains(": Problem");
        if let Some(name) = markdown::strings(line).next().filter(|_| due) {
            names.push((number, name.to_owned()));
            due = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "pub const A: Problem =\n    problem(\"key-a\", 400, \"Title\");\npub const B: Problem = problem(\"key-b\", 1, \"T\");\npub const URN: &str = \"urn\";\n";

    fn found(page: &str) -> Vec<String> {
        let repository = Repository::of(&[(CATALOGUE, CODE), (PAGE, page)]);
        check(&repository).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_problem_and_a_section_without_each_other_are_found() {
        let found = found("# Problems\n## The members of a document\n## `key-a`\n## `key-c`\n");
        assert!(
            found[0].starts_with("`key-b` has no section") && found[1].contains("no problem `key-c`"),
            "{found:?}"
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_page_with_all_of_them_is_fine() {
        assert_eq!(found("## `key-a`\n## `key-b`\n"), [""; 0]);
    }
}
