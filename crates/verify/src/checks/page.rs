//! The page of all checks.

use std::fmt::Write;

use super::all;

const HEAD: &str = "\
# The checks of `onlyonce verify`

<!-- Written by `onlyonce verify --list=markdown`; a test compares. -->

Each check has an id that stays: its subject, and the fault that it looks for. What *must* hold keeps an effect from
happening twice or not at all, an answer from being lost, and one caller's answer from another; what *should* hold makes
life better for whoever retries. A check whose needs [the plan](verify.md#the-plan) does not meet is not tried, and
reported as not observable.
";

/// `docs/reference/checks.md`.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut subject = "";
    for check in all() {
        if check.subject() != subject {
            subject = check.subject();
            let _ = write!(
                page,
                "\n## `{subject}`\n\n| check | level | what has to hold | source | needs |\n|---|---|---|---|---|\n"
            );
        }
        let needs: Vec<&str> = check.needs.iter().map(|need| need.as_str()).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            check.id,
            check.level.as_str(),
            cell(check.requirement),
            cell(check.source),
            needs.join(", ")
        );
    }
    page
}

/// What stands in a cell must not end it.
fn cell(text: &str) -> String {
    text.replace('|', r"\|")
}
