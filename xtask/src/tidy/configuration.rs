//! The reference has every key of the built-in configuration with its default, and no other.

use super::Finding;
use super::markdown;
use super::repository::Repository;

const BUILT_IN: &str = "crates/gateway/src/config/default.toml";
const PAGE: &str = "docs/reference/configuration.md";

/// Keys that the page does not have, has with another default, or has and nobody else.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let (Some(built_in), Some(page)) = (repository.text(BUILT_IN), repository.text(PAGE)) else {
        return Vec::new();
    };
    let keys: Vec<_> = keys(built_in).collect();
    let told: Vec<_> = rows(page).collect();
    let missing =
        keys.iter().filter(|(_, key, default)| !told.iter().any(|(_, k, d)| k == key && d == default));
    let missing = missing.map(|(line, key, default)| {
        Finding::new(BUILT_IN, *line, format!("{PAGE} has no row `{key}` with the default `{default}`"))
    });
    let gone = told.iter().filter(|(_, key, _)| !keys.iter().any(|(_, k, _)| k == key));
    let gone = gone.map(|(line, key, _)| Finding::new(PAGE, *line, format!("there is no key `{key}`")));
    missing.chain(gone).collect()
}

/// `table.key` and what is written for it; a key that is commented out has no default.
fn keys(text: &str) -> impl Iterator<Item = (usize, String, String)> {
    let mut table = String::new();
    let mut examples = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        // Behind the last table stand examples of routes.
        examples |= line.starts_with("# [[route]]");
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = format!("{name}.");
        }
        let (commented, line) = match line.strip_prefix("# ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (key, value) = line.split_once(" = ").filter(|_| !examples)?;
        let is_key =
            key.trim_matches('"').chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let value =
            value.split(" #").next().unwrap_or_default().split("   ").next().unwrap_or_default().trim();
        let default = if commented { String::new() } else { value.to_owned() };
        is_key.then(|| (number, format!("{table}{key}"), default))
    })
}

/// The first two cells of each row: the key, and its default.
fn rows(page: &str) -> impl Iterator<Item = (usize, String, String)> {
    let rows =
        markdown::rows(page).filter(|(_, cells)| cells.first().is_some_and(|cell| cell.starts_with('`')));
    rows.map(|(number, cells)| {
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default().replace('`', "");
        (number, cell(0), cell(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# About a = b, too.\nlisten = \"x:1\"      # where\n\n[defaults]\n# settle_after = \"2m\"   # no default\nkey = \"optional\"   # a | b\n[defaults.outcome]   # x\n# \"503\" = \"unknown\"\n# [[route]]\n# match = \"POST /x\"\n";

    fn found(page: &str) -> Vec<String> {
        let repository = Repository::of(&[(BUILT_IN, FILE), (PAGE, page)]);
        check(&repository).into_iter().map(|finding| finding.what).collect()
    }

    const PAGE_TEXT: &str = "| key | default |\n|---|---|\n| `listen` | `\"x:1\"` |\n| `defaults.settle_after` | |\n| `defaults.key` | `\"optional\"` |\n| `defaults.outcome.\"503\"` | |\n";

    #[test]
    fn a_page_with_all_of_them_is_fine() {
        assert_eq!(found(PAGE_TEXT), [""; 0]);
    }

    #[test]
    fn a_key_that_is_missing_changed_or_gone_is_found() {
        assert!(found(&PAGE_TEXT.replace("| `listen` | `\"x:1\"` |\n", ""))[0].contains("no row `listen`"));
        assert!(found(&PAGE_TEXT.replace("optional", "required"))[0].contains("no row `defaults.key`"));
        assert!(
            found(&format!("{PAGE_TEXT}| `defaults.old` | `1` |\n"))[0].contains("no key `defaults.old`")
        );
    }
}
