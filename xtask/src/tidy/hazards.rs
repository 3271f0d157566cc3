//! Every hazard that is known of has ended: in a test, in a reason or in a decision to live with it.
//!
//! Invariant: an id is never left out, and never used twice.

use super::Finding;
use super::markdown;
use super::repository::Repository;

const PAGE: &str = "docs/internals/hazards.md";

/// The letters of the list and how many stand under each.
const LIST: &[(&str, usize)] = &[("A", 25), ("B", 12), ("C", 26), ("D", 35), ("E", 9), ("H", 37)];

/// How a hazard may end.
const ENDS: &[&str] = &["*test* `", "*reason* ", "*accepted* ", "*later* "];

/// Hazards that are missing, there twice, or have not ended.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let Some(page) = repository.text(PAGE) else {
        return vec![Finding::new(PAGE, 1, "the list of hazards is gone: restore it")];
    };
    let mut left: Vec<String> = ids().collect();
    let mut findings = Vec::new();
    for (number, cells) in markdown::rows(page) {
        let [id, _, end] = cells.as_slice() else { continue };
        if *id == "id" || id.starts_with('-') {
            continue;
        }
        match left.iter().position(|due| due == id) {
            Some(at) => drop(left.swap_remove(at)),
            None => findings.push(Finding::new(PAGE, number, format!("`{id}` is no hazard, or there twice"))),
        }
        if !ENDS.iter().any(|word| end.starts_with(word) && end.len() > word.len()) {
            let what = format!("`{id}` has not ended: name its *test*, a *reason*, or why it is *accepted*");
            findings.push(Finding::new(PAGE, number, what));
        }
    }
    left.sort_unstable();
    findings.extend(left.iter().map(|id| Finding::new(PAGE, 1, format!("`{id}` is not in the list"))));
    findings
}

fn ids() -> impl Iterator<Item = String> {
    LIST.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let head = "| id | what | end |\n|---|---|---|\n".to_owned();
        let rows = ids().map(|id| change(&id).unwrap_or_else(|| format!("| {id} | x | *reason* y |\n")));
        let page = rows.fold(head, |page, row| page + &row);
        check(&Repository::of(&[(PAGE, &page)])).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_whole_list_is_fine() {
        assert_eq!(found(|_| None), [""; 0]);
    }

    #[test]
    fn one_that_is_missing_doubled_or_open_is_found() {
        let only =
            |wanted: &'static str, row: &'static str| move |id: &str| (id == wanted).then(|| row.to_owned());
        assert!(found(only("C5", ""))[0].contains("`C5` is not in the list"));
        assert!(
            found(only("A1", "| A2 | x | *reason* y |\n"))[0].contains("`A2` is no hazard, or there twice")
        );
        for end in ["| H37 | x | |\n", "| H37 | x | *reason* |\n", "| H37 | x | we will see |\n"] {
            assert!(found(only("H37", end))[0].contains("`H37` has not ended"), "{end}");
        }
        assert_eq!(check(&Repository::default()).len(), 1);
    }
}
