//! The commented plan, and the page that says what its keys mean.

use std::{collections::BTreeSet, fs, path::Path};

use onlyonce_verify::Plan;

/// What stands in place of what the plan shows.
const ALTERNATIVES: [&str; 5] =
    ["counter.number", "counter.step", "counter.listen", "counter.at", "counter.is"];

/// The plan with nothing commented out but prose.
fn whole() -> String {
    let uncommented =
        |line: &'static str| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line);
    Plan::COMMENTED.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// Whether it is a table's name, or a key and its value.
fn is_toml(line: &str) -> bool {
    let is_key = |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
}

/// `table.key` for each of its keys.
fn keys(text: &str) -> BTreeSet<String> {
    let mut table = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| is_toml(line)) {
            keys.insert(format!("{table}{key}"));
        }
    }
    keys
}

#[test]
fn the_plan_is_valid_as_it_is_and_with_everything_uncommented() {
    Plan::parse(Plan::COMMENTED).unwrap();
    Plan::parse(&whole()).unwrap();
}

#[test]
fn its_defaults_are_the_defaults() {
    let (plain, whole) = (Plan::parse(Plan::COMMENTED).unwrap(), Plan::parse(&whole()).unwrap());
    assert_eq!(format!("{:?}", plain.bounds), format!("{:?}", whole.bounds));
    assert_eq!(plain.profile, whole.profile);
    assert_eq!(plain.key.carrier, whole.key.carrier);
}

/// A key that nobody knows is answered with those that are known.
#[test]
fn it_has_every_key() {
    let has = keys(&whole());
    for table in [
        "",
        "key",
        "operations",
        "operations.create",
        "counter",
        "resource",
        "commands",
        "upstream",
        "bounds",
    ] {
        let mut text = whole();
        match table {
            "" => text.insert_str(0, "zzz = 1\n"),
            table => text = text.replace(&format!("\n[{table}]\n"), &format!("\n[{table}]\nzzz = 1\n")),
        }
        let error = Plan::parse(&text).unwrap_err().to_string();
        let (_, known) = error.split_once("there are ").unwrap_or_else(|| panic!("{table}: {error}"));
        for key in known.split(", ") {
            let path = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
            // What only one of several operations shows is a key of all.
            let elsewhere = path.replace(".create.", ".slow.");
            let is_there =
                |path: &str| has.iter().any(|key| key == path || key.starts_with(&format!("{path}.")));
            let alternative = ALTERNATIVES.contains(&path.as_str());
            assert!(is_there(&path) || is_there(&elsewhere) || alternative, "{path}");
        }
    }
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/verify.md");
    let page = fs::read_to_string(page).unwrap();
    let below = page.split("## The plan").nth(1).expect("the page has the section");
    let rows =
        below.lines().take_while(|line| !line.starts_with("## ")).filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<String> =
        rows.filter_map(|row| row.split_once('`')).map(|(key, _)| key.to_owned()).collect();
    // What all operations have stands once, as `operations.*.key`.
    let general = |key: &str| -> String {
        let parts: Vec<&str> = key.split('.').collect();
        match parts.as_slice() {
            ["operations", _, key] => format!("operations.*.{key}"),
            ["credentials", who, _] => format!("credentials.{who}"),
            _ => key.to_owned(),
        }
    };
    let mut has: BTreeSet<String> = keys(&whole()).iter().map(|key| general(key)).collect();
    has.extend(ALTERNATIVES.map(str::to_owned));
    has.extend(["create", "slow", "fails", "refused", "large"].map(|name| format!("operations.{name}")));
    assert_eq!(told, has);
}
