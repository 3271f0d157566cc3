//! As JSON, and the page that says what its members mean.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{expected, fixed};

#[test]
fn the_document_is_as_before() {
    expected::is_as_before(
        "fixed.json",
        &fixed::report().json().replace(env!("CARGO_PKG_VERSION"), "VERSION"),
    );
}

#[test]
fn no_credential_is_in_the_document() {
    let text = fixed::report().json();
    assert!(!text.contains("token-of") && !text.contains("session=of-ana"), "{text}");
}

#[test]
fn the_reference_has_every_member_with_its_type_and_no_other() {
    let document: Value = serde_json::from_str(&fixed::report().json()).unwrap();
    let mut members = BTreeSet::new();
    collect(&document, "", &mut members);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/verify.md");
    let page = fs::read_to_string(page).unwrap();
    let below = page.split("## The report as JSON").nth(1).expect("the page has the section");
    let told: BTreeSet<_> =
        below.lines().take_while(|line| !line.starts_with("## ")).filter_map(row).collect();
    let missing: Vec<_> = members.difference(&told).collect();
    let gone: Vec<_> = told.difference(&members).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not on the page: {missing:?}; only there: {gone:?}");
}

/// Members by path, `findings[].check`, each with its type.
fn collect(value: &Value, at: &str, members: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                members.insert((path.clone(), kind(member).to_owned()));
                collect(member, &path, members);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, &format!("{at}[]"), members)),
        _ => {}
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A member's path and type, from a row of the table.
fn row(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| `")?.split('|');
    let path = cells.next()?.trim().trim_end_matches('`');
    Some((path.to_owned(), cells.next()?.trim().to_owned()))
}
