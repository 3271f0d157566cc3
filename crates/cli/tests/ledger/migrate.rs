//! `ledger migrate`.

use onlyonce_testbed::servers;

use crate::command::{CONFIG, DONE, onlyonce};

#[tokio::test]
async fn a_ledger_without_tables_has_nothing_to_migrate() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = format!("embedded:{}", directory.path().join("ledger").display());
    let told = onlyonce(&["ledger", "migrate", "--ledger", &ledger], &[]).await;
    told.assert(DONE, &["there is nothing to do"]);
    assert!(!directory.path().join("ledger").exists(), "nothing is made");
}

#[tokio::test]
async fn a_url_that_is_wrong_is_told_without_its_password() {
    for arguments in [
        ["ledger", "migrate", "--ledger", "postgres://ana:hunter2@db/bank?shema=x"],
        ["ledger", "rewrap", "--ledger", "redis://:hunter2@cache/bank"],
        ["gateway", "--admin", "off", "--ledger=postgres://ana:hunter2@db/bank?shema=x"],
        ["ledger", "migrate", "--ledger", "env:LEDGER_URL"],
    ] {
        let told = onlyonce(&arguments, &[("LEDGER_URL", "redis://:hunter2@cache?x=1")]).await;
        told.assert(CONFIG, &["://…`: "]);
        assert!(!told.told.contains("hunter2"), "{}", told.told);
    }
    let unset = onlyonce(&["ledger", "migrate", "--ledger", "env:ONLYONCE_TEST_UNSET"], &[]).await;
    unset.assert(CONFIG, &["--ledger: the environment variable ONLYONCE_TEST_UNSET is not set"]);
}

#[tokio::test]
async fn the_tables_of_a_ledger_are_made_once() {
    let ledger = format!("{}?schema={}", servers::postgres().await, servers::name());
    let migrate = ["ledger", "migrate", "--ledger", &ledger];
    let (made, again) = (onlyonce(&migrate, &[]).await, onlyonce(&migrate, &[]).await);
    made.assert(DONE, &[]);
    again.assert(DONE, &["already"]);
}
