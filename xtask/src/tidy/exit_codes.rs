//! Every exit code stands in the reference under its number and name, and the reference has no other.

use super::Finding;
use super::markdown;
use super::repository::Repository;

const CODES: &str = "crates/cli/src/exit.rs";
const PAGE: &str = "docs/reference/exit-codes.md";

/// Codes that the page does not have, and rows about codes that nothing ends with.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let codes: Vec<_> = codes(repository.text(CODES).unwrap_or_default()).collect();
    let page = repository.text(PAGE).unwrap_or_default();
    let told: Vec<_> = markdown::rows(page)
        .filter_map(|(line, cells)| {
            Some((line, cells.first()?.parse::<u8>().ok()?, (*cells.get(1)?).to_owned()))
        })
        .collect();
    let missing = codes.iter().filter(|(_, code, name)| !told.iter().any(|(_, c, n)| c == code && n == name));
    let missing = missing.map(|(line, code, name)| {
        Finding::new(CODES, *line, format!("{PAGE} has no row for {code}, {name}"))
    });
    let gone = told.iter().filter(|(_, code, _)| !codes.iter().any(|(_, c, _)| c == code));
    let gone = gone.map(|(line, code, _)| Finding::new(PAGE, *line, format!("nothing ends with {code}")));
    missing.chain(gone).collect()
}

/// `Name = 3,`
fn codes(text: &str) -> impl Iterator<Item = (usize, u8, String)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let (name, code) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        Some((number, code.parse().ok()?, name.to_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "enum Exit {\n    Done = 0,\n    Ledger = 5,\n}\n";

    fn found(page: &str) -> Vec<String> {
        check(&Repository::of(&[(CODES, CODE), (PAGE, page)]))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn a_code_that_is_missing_renamed_or_gone_is_found() {
        assert!(found("| 0 | done |\n")[0].contains("no row for 5, ledger"));
        assert!(found("| 0 | done |\n| 5 | disk |\n")[0].contains("no row for 5, ledger"));
        assert!(found("| 0 | done |\n| 5 | ledger |\n| 9 | x |\n")[0].contains("nothing ends with 9"));
    }

    #[test]
    fn a_page_with_all_of_them_is_fine() {
        assert_eq!(found("| code | name |\n|---|---|\n| 0 | done | x |\n| 5 | ledger | y |\n"), [""; 0]);
    }
}
