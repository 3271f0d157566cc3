//! *What an answer means for the key*: one scenario for each row, by subject; a row that lists statuses is carried out
//! with every one of them.

use std::collections::BTreeMap;

use onlyonce_testbed::client::Response;

use crate::{
    page::{self, Row, statuses},
    run::{self, Scene},
    transfer::{assert_problem, said},
};

mod handlers;
mod reruns;
mod sizes;
mod table;
mod wire;

/// What a scenario saw of one key.
pub(crate) struct Pair {
    /// What tells this case from the others of its row.
    case: String,
    first: Response,
    repeat: Response,
    /// Whether the repeat reached the upstream or the handler.
    ran_again: bool,
}

/// A row's name, and what shows it with the row's statuses.
type Scenario = (&'static str, fn(Vec<u16>) -> Scene<Vec<Pair>>);

const SCENARIOS: &[&[Scenario]] =
    &[table::SCENARIOS, handlers::SCENARIOS, wire::SCENARIOS, sizes::SCENARIOS, reruns::SCENARIOS];

const BY_STATUS: &str = "## What an answer means for the key";
const BY_OTHERS: &str = "## What goes before the status, or comes without one";

fn rows() -> Vec<Row> {
    let page = page::read("contract.md");
    [page::rows(&page, BY_STATUS), page::rows(&page, BY_OTHERS)].concat()
}

#[tokio::test]
async fn an_answer_means_for_its_key_what_its_row_of_the_reference_says() {
    let scenarios = || SCENARIOS.iter().copied().flatten();
    let scene = |row: &Row| {
        let scenario = scenarios().find(|(name, _)| *name == row.name);
        scenario.map(|(_, scene)| scene(statuses(row.cell("status"))))
    };
    run::table(&rows(), scene, scenarios().map(|(name, _)| *name), judge).await;
}

/// The table leaves none out and names none twice, but for 503, whose `Retry-After` decides.
#[test]
fn every_final_status_stands_in_one_row() {
    let mut times: BTreeMap<u16, usize> = (200..=599).map(|status| (status, 0)).collect();
    for row in page::rows(&page::read("contract.md"), BY_STATUS) {
        for status in statuses(row.cell("status")) {
            *times.get_mut(&status).unwrap_or_else(|| panic!("{status} is no final status")) += 1;
        }
    }
    let wrong: Vec<_> = times.iter().filter(|(status, n)| **n != 1 + usize::from(**status == 503)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn judge(row: &Row, pairs: &Vec<Pair>) {
    assert!(!pairs.is_empty());
    for pair in pairs {
        let context = |whose: &str| format!("{} {whose}", pair.case);
        let first = Wanted::read(row.cell("the first caller gets"));
        let repeat = Wanted::read(row.cell("a repeat gets"));
        first.judge(&pair.first, &context("first"));
        repeat.judge(&pair.repeat, &context("repeat"));
        assert_eq!(pair.ran_again, repeat.runs, "{}: whether the repeat runs", pair.case);
        if repeat.bare {
            assert_eq!((pair.repeat.status, pair.repeat.body.len()), (pair.first.status, 0), "{}", pair.case);
        }
        if repeat.same {
            assert_eq!(
                (pair.repeat.status, &pair.repeat.body),
                (pair.first.status, &pair.first.body),
                "{}",
                pair.case
            );
            assert_eq!(pair.repeat.header("idempotent-replayed"), Some("true"), "{}", pair.case);
        }
        match row.cell("the key") {
            "free" => assert!(pair.ran_again, "{}: the key is free", pair.case),
            "kept" => assert!(!pair.ran_again, "{}: the result stands", pair.case),
            "unknown" => {}
            other => panic!("`{other}` is no word for a key"),
        }
    }
}

/// What a cell says: `its answer, executed`, `the same, replayed`, `409 outcome-unknown, unknown`, `runs again`.
struct Wanted {
    problem: Option<(u16, String)>,
    status: Option<String>,
    same: bool,
    bare: bool,
    runs: bool,
}

impl Wanted {
    fn read(cell: &str) -> Self {
        let mut parts = cell.split(',').map(str::trim);
        let what = parts.next().unwrap_or_default();
        let problem =
            what.split_once(' ').and_then(|(status, name)| Some((status.parse().ok()?, name.to_owned())));
        let known =
            problem.is_some() || matches!(what, "its answer" | "the same" | "its status" | "runs again");
        assert!(known, "a cell that means nothing: `{cell}`");
        Self {
            problem,
            status: parts.next().map(str::to_owned),
            same: what == "the same",
            bare: what == "its status",
            runs: what == "runs again",
        }
    }

    fn judge(&self, answer: &Response, context: &str) {
        let is_ours = answer.text().contains("urn:problem-type:onlyonce:");
        match &self.problem {
            Some((status, name)) => drop(assert_problem(answer, *status, name)),
            None if self.runs => {}
            None => assert!(
                !is_ours || answer.headers.contains("x-from"),
                "{context}: {} {}",
                answer.status,
                answer.text()
            ),
        }
        if let Some(status) = &self.status {
            assert_eq!(said(answer), Some(status.as_str()), "{context}: {} {}", answer.status, answer.text());
        } else if !self.runs {
            assert_eq!(said(answer), None, "{context}");
        }
    }
}
