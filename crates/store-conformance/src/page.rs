//! What a run of the suite against several backends has found, as a page.

use std::fmt::Write;

use crate::report::{Outcome, Report};

/// The page: a row for each case, a column for each backend, and why what is skipped is skipped.
pub fn page(runs: &[(&str, Report)]) -> String {
    let mut page = HEAD.to_owned();
    let names: Vec<String> = runs.iter().map(|(backend, _)| format!("`{backend}`")).collect();
    row(&mut page, "case", &names);
    row(&mut page, "---", &vec!["---".to_owned(); runs.len()]);
    let cases = runs.first().map(|(_, report)| report.cases()).unwrap_or_default();
    for (place, (name, _)) in cases.iter().enumerate() {
        let cells = runs.iter().map(|(_, report)| cell(report.cases().get(place)));
        row(&mut page, &format!("`{name}`"), &cells.collect::<Vec<_>>());
    }
    page.push_str("\n## What is skipped\n\n");
    for (backend, report) in runs {
        for (name, outcome) in report.cases() {
            if let Outcome::Skipped(why) = outcome {
                line(&mut page, &format!("- `{backend}`: `{name}`: {why}."));
            }
        }
    }
    page
}

const HEAD: &str = "\
# Which store keeps which rule

<!-- Written by the test `conformance` of `crates/backends`, which compares. -->

One suite, `crates/store-conformance`, asks every store the same of the seam behind which it stands. Each case is named as
the claim that it tests, and is failed by at least one of the broken stores that the suite ships. Each ran against the real
server: a backend that is missing fails the run.

";

fn cell(case: Option<&(&str, Outcome)>) -> String {
    let word = match case {
        Some((_, Outcome::Passed)) => "passed",
        Some((_, Outcome::Skipped(_))) => "skipped",
        Some((_, Outcome::Failed(_))) => "**failed**",
        None => "**not run**",
    };
    word.to_owned()
}

fn row(page: &mut String, first: &str, cells: &[String]) {
    line(page, &format!("| {first} | {} |", cells.join(" | ")));
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_did_not_pass_somewhere_is_seen_in_its_row() {
        let report = |outcome| Report { cases: vec![("a_claim", Outcome::Passed), ("another", outcome)] };
        let runs = [
            ("memory", report(Outcome::Skipped("it has no disk"))),
            ("disk", report(Outcome::Failed("x".to_owned()))),
            ("new", Report { cases: vec![("a_claim", Outcome::Passed)] }),
        ];
        let page = page(&runs);
        assert!(
            page.contains("\n| case | `memory` | `disk` | `new` |\n| --- | --- | --- | --- |\n"),
            "{page}"
        );
        assert!(page.contains("\n| `a_claim` | passed | passed | passed |\n"), "{page}");
        assert!(page.contains("\n| `another` | skipped | **failed** | **not run** |\n"), "{page}");
        assert!(page.ends_with("\n- `memory`: `another`: it has no disk.\n"), "{page}");
    }
}
