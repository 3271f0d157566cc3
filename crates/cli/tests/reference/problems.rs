//! *Problems*: a section for each, in the order in which they are judged, each with a document that was really answered.

use onlyonce_core::problem::{CATALOGUE, URN_BASE};
use serde_json::Value;

use crate::{answers, page};

fn sections() -> Vec<(String, String)> {
    let all = page::sections(&page::read("problems.md"));
    all.into_iter().filter(|(title, _)| !title.contains(' ')).collect()
}

#[test]
fn every_problem_has_its_section_in_the_order_of_judgement() {
    let sections = sections();
    let titles: Vec<_> = sections.iter().map(|(title, _)| title.as_str()).collect();
    let names: Vec<_> = CATALOGUE.iter().map(|problem| problem.name).collect();
    assert_eq!(titles, names);
    for (problem, (title, text)) in CATALOGUE.iter().zip(&sections) {
        let summary = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        assert!(summary.starts_with(&problem.status.to_string()), "{title}: {summary}");
        let next = format!("next: {}", problem.next.as_str());
        assert!(summary.replace('`', "").contains(&next), "{title}: {summary}");
        for part in ["**What happened.**", "**On record.**", "**What to do.**"] {
            assert!(text.contains(part), "{title} says {part}");
        }
    }
}

/// What a document says of one operation or moment is told by its shape only: `op_…`, the time, an age.
#[tokio::test]
async fn each_example_is_a_document_that_was_really_answered() {
    let mut seen = Vec::new();
    for row in answers::rows() {
        if row.cell("problem").is_empty() {
            continue;
        }
        let scene = answers::scenarios().find(|(name, _)| *name == row.name);
        let (_, scene) = scene.unwrap_or_else(|| panic!("no scenario shows `{}`", row.name));
        seen.push(scene().await.answer.json());
    }
    let seen: Vec<_> = seen.into_iter().map(shape).collect();
    let mut wrong = Vec::new();
    for (title, text) in sections() {
        let examples = page::examples(&text);
        assert!(!examples.is_empty(), "{title} has an example");
        for example in examples {
            let example =
                shape(serde_json::from_str(example).unwrap_or_else(|error| panic!("{title}: {error}")));
            assert_eq!(example["type"], format!("{URN_BASE}{title}"), "{title}");
            if !seen.contains(&example) {
                let really = seen.iter().filter(|document| document["type"] == example["type"]);
                let really: Vec<_> = really.map(|document| format!("{document:#}")).collect();
                wrong.push(format!("{example:#}\nwas not answered, but\n{}", really.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn shape(document: Value) -> Value {
    match document {
        Value::String(text) => Value::String(text.split(' ').map(word).collect::<Vec<_>>().join(" ")),
        Value::Array(values) => values.into_iter().map(shape).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, shape(value))).collect(),
        other => other,
    }
}

/// `op_…`, also at the end of a path; a time as ISO 8601 writes it; a number by itself, which is an age.
fn word(word: &str) -> String {
    let is_time = word.len() == "2026-11-23T10:12:07Z".len() && word.starts_with("20") && word.ends_with('Z');
    match word.split_once("op_") {
        Some((before, _)) => format!("{before}op_"),
        None if is_time => "TIME".to_owned(),
        None if word.parse::<u32>().is_ok() => "N".to_owned(),
        None => word.to_owned(),
    }
}
