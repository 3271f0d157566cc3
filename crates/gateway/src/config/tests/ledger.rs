//! `[ledger]`: URLs that may hold a password, and settings that the ledger chosen knows nothing of.

use std::collections::BTreeMap;

use super::*;
use crate::gateway::{Gateway, Secrets};

fn checked(ledger: &str, variables: &[(&str, &str)]) -> Result<(), String> {
    let config = parse(&format!("[ledger]\n{ledger}\n[principal]\nfrom = \"anonymous\"\n")).unwrap();
    let named = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let secrets = Secrets { ledger: Some("s".repeat(32)), named, ..Secrets::default() };
    Gateway::check(&config, &secrets).map_err(|error| error.to_string())
}

#[test]
fn a_url_may_come_from_the_environment() {
    let config = parse("[ledger]\nurl = \"env:LEDGER_URL\"").unwrap();
    assert_eq!(config.variables().collect::<Vec<_>>(), ["LEDGER_URL"]);
    let held = BTreeMap::from([("LEDGER_URL".to_owned(), "postgres://ana:hunter2@db/bank".to_owned())]);
    assert_eq!(config.ledger.place(&held).unwrap().to_string(), "postgres://db:5432/bank");
    assert_eq!(checked("url = \"env:LEDGER_URL\"", &[("LEDGER_URL", "memory:")]), Ok(()));
    let unset = checked("url = \"env:LEDGER_URL\"", &[]).unwrap_err();
    assert_eq!(unset, "`ledger.url`: the environment variable LEDGER_URL is not set");
    let wrong = checked("url = \"env:LEDGER_URL\"", &[("LEDGER_URL", "postgres://ana:hunter2@db/bank?x=1")]);
    let wrong = wrong.unwrap_err();
    assert!(wrong.contains("LEDGER_URL holds no ledger URL: ledger `postgres://…`: "), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn the_password_of_a_ledger_is_not_told_by_a_mistake() {
    for text in [
        "[ledger]\nurl = \"postgres://ana:hunter2@db/bank?shema=x\"",
        "[ledger]\nurl = \"postgres://ana:hunter2/bank\"",
        "[ledger]\nurl = \"redis://:hunter2/0\"",
        "[ledger]\nurl = \"redis://:hunter2@cache",
        "[ledger]\nurl = \"redis://:hunter2",
        "[ledger]\nurl = \"redis://:hunter2@cache\" x",
        "[ledger]\nurl = \"redis://:hunter2@cache\"\nurl = \"redis://:hunter2@cache\"",
        "[ledger]\nurl = \"ana:hunter2@db/bank\"",
    ] {
        let told = parse(text).unwrap_err();
        assert!(!told.contains("hunter2") && told.contains(", line "), "{text}: {told}");
    }
    let told = parse("[ledger]\nurl = \"postgres://ana:hunter2@db/bank?shema=x\"").unwrap_err();
    assert!(told.contains("`ledger.url`: ledger `postgres://…`: it has a parameter `shema`"), "{told}");
}

#[test]
fn the_ledger_is_explained_without_its_password() {
    let text = "[ledger]\nurl = \"postgres://ana:hunter2@db/bank\"\naccept_loss = true";
    let explained = Config::explain(text, Path::new("x"), &http::Method::POST, "/").unwrap();
    let told: Vec<_> = explained
        .ledger
        .iter()
        .map(|setting| {
            format!("{} = {} ({})", setting.key, setting.value.as_deref().unwrap_or("-"), setting.from)
        })
        .collect();
    assert_eq!(
        told,
        [
            "ledger.url = \"postgres://db:5432/bank\" (file)",
            "ledger.must_exist = false (built-in)",
            "ledger.max_bytes = \"0\" (built-in)",
            "ledger.accept_loss = true (file)",
            "ledger.min_replicas = 0 (built-in)",
        ]
    );
}

#[test]
fn the_password_of_a_ledger_is_not_shown_by_what_holds_it() {
    let config = parse("[ledger]\nurl = \"postgres://ana:hunter2@db/bank\"").unwrap();
    let shown = format!("{config:?} {}", config.ledger.url);
    assert!(!shown.contains("hunter2") && shown.contains("postgres://db:5432/bank"), "{shown}");
}

#[test]
fn what_means_nothing_for_the_ledger_chosen_is_refused() {
    for (ledger, key) in [
        ("url = \"postgres://ana@db/bank\"\nmax_bytes = \"1GiB\"", "max_bytes"),
        ("url = \"redis://cache\"\nmax_bytes = \"1GiB\"", "max_bytes"),
        ("url = \"postgres://ana@db/bank\"\nmin_replicas = 1", "min_replicas"),
        ("url = \"embedded:x\"\nmin_replicas = 1", "min_replicas"),
        ("url = \"embedded:x\"\naccept_loss = true", "accept_loss"),
        ("url = \"memory:\"\naccept_loss = true", "accept_loss"),
    ] {
        let told = checked(ledger, &[]).unwrap_err();
        assert!(told.contains(&format!("`{key}` does nothing with the ledger ")), "{ledger}: {told}");
    }
    for ledger in [
        "url = \"embedded:x\"\nmax_bytes = \"1GiB\"",
        "url = \"postgres://ana@db/bank\"\naccept_loss = true",
        "url = \"redis://cache\"\naccept_loss = true\nmin_replicas = 1",
        "url = \"redis-cluster://a,b\"\naccept_loss = true\nmin_replicas = 1",
    ] {
        assert_eq!(checked(ledger, &[]), Ok(()), "{ledger}");
    }
}

#[test]
fn a_shared_ledger_needs_a_secret() {
    for url in ["postgres://ana:hunter2@db/bank", "redis://:hunter2@cache", "redis-cluster://:hunter2@a,b"] {
        let config = parse(&format!("[ledger]\nurl = \"{url}\"")).unwrap();
        let told = Gateway::check(&config, &Secrets::default()).unwrap_err().to_string();
        assert!(told.contains("in ONLYONCE_SECRET. `openssl rand -hex 32` makes one"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
