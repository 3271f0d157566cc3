//! *What a request gets*: one scenario for each row, by subject.

use onlyonce_testbed::client::Response;

use crate::{
    page::{self, Row},
    run::{self, Scene},
    transfer::{assert_problem, said},
};

mod gone;
mod ledger;
mod refusals;
mod repeats;
mod unknown;
mod upstream;

/// What a scenario saw.
pub(crate) struct Shown {
    /// The answer that the row is about.
    pub(crate) answer: Response,
    /// The answer that the first request with the key got, where the row compares with it.
    pub(crate) first: Option<Response>,
}

impl From<Response> for Shown {
    fn from(answer: Response) -> Self {
        Self { answer, first: None }
    }
}

/// A row's name, and what shows it.
pub(crate) type Scenario = (&'static str, fn() -> Scene<Shown>);

const SCENARIOS: &[&[Scenario]] = &[
    repeats::SCENARIOS,
    refusals::SCENARIOS,
    unknown::SCENARIOS,
    gone::SCENARIOS,
    ledger::SCENARIOS,
    upstream::SCENARIOS,
];

/// The scenarios whose rows stand in the table of the answers.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().copied().flatten()
}

pub(crate) fn rows() -> Vec<Row> {
    page::rows(&page::read("contract.md"), "## What a request gets")
}

#[tokio::test]
async fn a_request_gets_what_its_row_of_the_reference_says() {
    let scene = |row: &Row| scenarios().find(|(name, _)| *name == row.name).map(|(_, scene)| scene());
    run::table(&rows(), scene, scenarios().map(|(name, _)| *name), judge).await;
}

fn judge(row: &Row, shown: &Shown) {
    let answer = &shown.answer;
    match row.cell("status") {
        "the upstream's" => assert_eq!((answer.status, answer.header("x-from")), (201, Some("upstream"))),
        "the first one's" => {
            let first = shown.first.as_ref().expect("the scenario has a first answer");
            assert_eq!((answer.status, &answer.body), (first.status, &first.body));
            assert_eq!(answer.header("idempotent-replayed"), Some("true"));
        }
        status => assert_eq!(answer.status.to_string(), status, "{}", answer.text()),
    }
    assert_eq!(said(answer).unwrap_or_default(), row.cell("Idempotency-Status"), "Idempotency-Status");
    retry_after(row.cell("Retry-After"), answer.header("retry-after"));
    let own = answer.header("content-type") == Some("application/problem+json");
    assert_eq!(own, !row.cell("problem").is_empty(), "a document of ours, or none: {}", answer.text());
    if own {
        document(row, answer);
    }
}

fn document(row: &Row, answer: &Response) {
    let document = assert_problem(answer, answer.status, row.cell("problem"));
    assert_eq!(document["retryable"].to_string(), row.cell("retryable"), "retryable");
    assert_eq!(document["next"], row.cell("next"), "next");
    assert_eq!(document["operation"].is_string(), document["next"] == "poll", "{document:#}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for member in ["title", "detail"] {
        assert!(document[member].as_str().is_some_and(|text| text.len() > 10), "{document:#}");
    }
}

/// Nothing; a number; a range of them, with or without a word of explanation; or a word: some number.
fn retry_after(cell: &str, seen: Option<&str>) {
    if cell.is_empty() {
        return assert_eq!(seen, None, "Retry-After");
    }
    let seen: u64 = seen.unwrap_or_else(|| panic!("no Retry-After")).parse().expect("seconds");
    let mut numbers = cell.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse::<u64>().ok());
    let first = numbers.next().unwrap_or(1);
    let last =
        numbers.next_back().unwrap_or(if cell.starts_with(char::is_numeric) { first } else { u64::MAX });
    assert!((first..=last).contains(&seen), "Retry-After: {seen}, not {cell}");
}
