//! `ledger rewrap`.

use onlyonce_testbed::effects::Upstream;

use crate::{
    command::{CONFIG, DONE, LEDGER, onlyonce, refused_on},
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_replays, send, transfer},
};

const OLD: &str = "the secret that the ledger was made with";
const NEW: &str = "the secret that the ledger has from now on";

fn with(secret: &str) -> Setup {
    Setup::anonymous().environment("ONLYONCE_SECRET", secret)
}

async fn rewrap(ledger: &str, old: &str, new: &str) -> crate::command::Ended {
    let environment = [("ONLYONCE_SECRET", old), ("ONLYONCE_NEW_SECRET", new)];
    onlyonce(&["ledger", "rewrap", "--ledger", ledger], &environment).await
}

#[tokio::test]
async fn after_a_rewrap_the_new_secret_opens_the_ledger_and_the_old_one_does_not() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), with(OLD)).await;
    let ledger = format!("embedded:{}", gateway.directory.path().join("ledger").display());
    let first = send(gateway.address, &transfer("k")).await;
    assert_executed(&first, 201);
    rewrap(&ledger, OLD, NEW).await.assert(LEDGER, &["another process has it open"]);
    gateway.process.kill9().await;
    rewrap(&ledger, "a secret that is another ledger's", NEW)
        .await
        .assert(LEDGER, &["the secret is not the one"]);
    // The second time its answer was lost, say.
    for _ in 0..2 {
        let told = rewrap(&ledger, OLD, NEW).await;
        told.assert(DONE, &["it opens with the new secret", "next: set ONLYONCE_SECRET"]);
        assert!(told.data.is_empty(), "stdout is for data: {}", told.data);
    }
    refused_on(&ledger, &[("ONLYONCE_SECRET", OLD)]).await.assert(LEDGER, &["the secret is not the one"]);
    gateway.set_up(with(NEW));
    gateway.restart().await;
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
}

/// The file beside the data is the old secret, and opens nothing afterwards.
#[tokio::test]
async fn a_ledger_that_made_its_own_secret_gets_one_from_outside() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let ledger = format!("embedded:{}", gateway.directory.path().join("ledger").display());
    let first = send(gateway.address, &transfer("k")).await;
    gateway.process.kill9().await;
    let new = [("ONLYONCE_NEW_SECRET", NEW)];
    onlyonce(&["ledger", "rewrap", "--ledger", &ledger], &new).await.assert(DONE, &[]);
    refused_on(&ledger, &[]).await.assert(
        LEDGER,
        &["Look at ONLYONCE_SECRET, or else at the file ", "/secret; after `onlyonce ledger rewrap`"],
    );
    gateway.set_up(with(NEW));
    gateway.restart().await;
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
}

#[tokio::test]
async fn what_cannot_be_rewrapped_is_told_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = format!("embedded:{}", directory.path().join("ledger").display());
    let arguments = ["ledger", "rewrap", "--ledger", &ledger];
    onlyonce(&arguments, &[])
        .await
        .assert(CONFIG, &["ONLYONCE_NEW_SECRET is not set", "openssl rand -hex 32"]);
    rewrap(&ledger, OLD, "short")
        .await
        .assert(LEDGER, &["ONLYONCE_NEW_SECRET: the secret has 5 bytes", "needs 32 or more"]);
    rewrap(&ledger, "short", NEW).await.assert(LEDGER, &["ONLYONCE_SECRET: the secret has 5 bytes"]);
    rewrap(&ledger, NEW, NEW).await.assert(CONFIG, &["ONLYONCE_NEW_SECRET and ONLYONCE_SECRET are the same"]);
    rewrap(&ledger, OLD, NEW).await.assert(LEDGER, &["there is no ledger at"]);
    rewrap("memory:", OLD, NEW).await.assert(CONFIG, &["a ledger in memory ends with its process"]);
    assert!(!directory.path().join("ledger").exists(), "nothing is made");
}
