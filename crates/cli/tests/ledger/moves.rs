//! `ledger export`, `import` and `reopen`.

use std::path::Path;

use onlyonce_testbed::{effects::Upstream, servers};

use crate::{
    command::{DONE, Ended, FAILURE, LEDGER, USAGE, migrated, onlyonce, refused_on},
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, send, transfer},
};

const SECRET: (&str, &str) = ("ONLYONCE_SECRET", "the secret of a ledger that is moved");

fn on(ledger: &str) -> Setup {
    let accepts = if ledger.starts_with("redis-cluster:") { "accept_loss = true" } else { "" };
    Setup::anonymous().ledger(ledger).environment(SECRET.0, SECRET.1).table(&format!("[ledger]\n{accepts}"))
}

async fn ledger(arguments: &[&str]) -> Ended {
    onlyonce(&[&["ledger"], arguments].concat(), &[]).await
}

/// Moves it by a file.
async fn moved(from: &str, to: &str, file: &Path) {
    let file = file.to_str().unwrap();
    let told = ledger(&["export", "--yes", "--ledger", from, file]).await;
    told.assert(DONE, &[" of the audit were written\n", "next: `onlyonce ledger import --ledger URL"]);
    assert!(told.data.is_empty(), "stdout is for data: {}", told.data);
    let told = ledger(&["import", "--ledger", to, file]).await;
    told.assert(
        DONE,
        &[" of the audit were written\n", "next: start gateways on it with the ONLYONCE_SECRET"],
    );
}

/// Once round through all of them. After each move, what was done is replayed, what is new is executed, and the ledger left
/// behind takes nothing.
#[tokio::test]
async fn a_ledger_moves_through_all_backends_and_no_answer_changes() {
    let (upstream, directory) = (Upstream::counting().await, tempfile::tempdir().unwrap());
    let embedded = |name: &str| format!("embedded:{}", directory.path().join(name).display());
    let stations = [
        embedded("first"),
        migrated().await,
        format!("{}?namespace={}", servers::redis().await, servers::name()),
        format!("{}?namespace={}", servers::redis_cluster().await, servers::name()),
        embedded("last"),
    ];
    let mut gateway = Gateway::start(&upstream.url(), on(&stations[0])).await;
    let mut answers = vec![send(gateway.address, &transfer("0")).await];
    for (number, pair) in (1..).zip(stations.windows(2)) {
        let (from, to) = (&pair[0], &pair[1]);
        // A directory has one process at a time; the others are left while a gateway runs on them.
        if from.starts_with("embedded:") {
            gateway.process.kill9().await;
        }
        moved(from, to, &directory.path().join(format!("export-{number}"))).await;
        if !from.starts_with("embedded:") {
            assert_replays(&send(gateway.address, &transfer("0")).await, &answers[0]);
            let refused = send(gateway.address, &transfer("new")).await;
            assert_problem(&refused, 503, "ledger-unavailable");
            gateway.process.kill9().await;
        }
        gateway = Gateway::start(&upstream.url(), on(to)).await;
        for (key, answer) in answers.iter().enumerate() {
            assert_replays(&send(gateway.address, &transfer(&key.to_string())).await, answer);
        }
        let new = send(gateway.address, &transfer(&number.to_string())).await;
        assert_executed(&new, 201);
        answers.push(new);
    }
    assert_eq!(upstream.total(), stations.len());
}

#[tokio::test]
async fn a_ledger_is_closed_only_if_that_is_meant_and_can_be_opened_again() {
    let (upstream, directory) = (Upstream::counting().await, tempfile::tempdir().unwrap());
    let source = format!("{}?namespace={}", servers::redis().await, servers::name());
    let gateway = Gateway::start(&upstream.url(), on(&source)).await;
    assert_executed(&send(gateway.address, &transfer("a")).await, 201);
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    // Nobody sits there.
    let asked = ledger(&["export", "--ledger", &source, &file("x")]).await;
    asked.assert(USAGE, &["there is no terminal to ask on", "--yes", "--copy"]);
    assert!(!directory.path().join("x").exists(), "nothing was made");
    ledger(&["export", "--copy", "--ledger", &source, &file("x")])
        .await
        .assert(DONE, &["It goes on taking keys"]);
    assert_executed(&send(gateway.address, &transfer("b")).await, 201);
    // It is not written over.
    ledger(&["export", "--copy", "--ledger", &source, &file("x")]).await.assert(FAILURE, &[&file("x")]);
    ledger(&["export", "--yes", "--ledger", &source, &file("y")]).await.assert(DONE, &[]);
    assert_problem(&send(gateway.address, &transfer("c")).await, 503, "ledger-unavailable");
    ledger(&["reopen", "--ledger", &source]).await.assert(DONE, &["it takes keys again", "act twice"]);
    ledger(&["reopen", "--ledger", &source]).await.assert(DONE, &["it is open"]);
    let gateway = Gateway::start(&upstream.url(), on(&source)).await;
    assert_executed(&send(gateway.address, &transfer("c")).await, 201);
}

/// Half a ledger would run the other half again.
#[tokio::test]
async fn half_an_export_opens_for_nobody() {
    let (upstream, directory) = (Upstream::counting().await, tempfile::tempdir().unwrap());
    let mut gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().environment(SECRET.0, SECRET.1)).await;
    for key in ["a", "b", "c"] {
        assert_executed(&send(gateway.address, &transfer(key)).await, 201);
    }
    gateway.process.kill9().await;
    let source = format!("embedded:{}", gateway.directory.path().join("ledger").display());
    let (whole, half) = (directory.path().join("whole"), directory.path().join("half"));
    let exported = ledger(&["export", "--yes", "--ledger", &source, whole.to_str().unwrap()]).await;
    exported.assert(DONE, &["3 records"]);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let target = format!("embedded:{}", directory.path().join("target").display());
    // It is seen before anything is written.
    ledger(&["import", "--ledger", &target, half.to_str().unwrap()])
        .await
        .assert(FAILURE, &["the file is cut"]);
    ledger(&["export", "--copy", "--ledger", &target, directory.path().join("x").to_str().unwrap()])
        .await
        .assert(LEDGER, &[&format!("failed to move the ledger {target}: there is none")]);
    let mut started =
        Gateway::start(&upstream.url(), Setup::anonymous().environment(SECRET.0, SECRET.1)).await;
    started.process.kill9().await;
    let another = format!("embedded:{}", started.directory.path().join("ledger").display());
    let told = ledger(&["import", "--ledger", &another, whole.to_str().unwrap()]).await;
    told.assert(
        LEDGER,
        &[&format!("the ledger {another}: there is another"), "import where there is none yet"],
    );
    // Through a pipe it is seen when it ends.
    let piped = format!(
        "cat '{}' | {} ledger import --ledger '{target}' -",
        half.display(),
        env!("CARGO_BIN_EXE_onlyonce")
    );
    let ended = tokio::process::Command::new("sh").args(["-c", &piped]).output().await.unwrap();
    assert_eq!(ended.status.code(), Some(FAILURE));
    refused_on(&target, &[SECRET]).await.assert(LEDGER, &["has begun and not ended"]);
    ledger(&["reopen", "--ledger", &target]).await.assert(LEDGER, &["has begun and not ended"]);
    ledger(&["import", "--ledger", &target, whole.to_str().unwrap()]).await.assert(DONE, &["3 records"]);
    let gateway = Gateway::start(&upstream.url(), on(&target)).await;
    assert_eq!(send(gateway.address, &transfer("a")).await.header("idempotency-status"), Some("replayed"));
    assert_eq!(upstream.total(), 3);
}

/// Its secret lies beside it and is not in the file; who moves it is told.
#[tokio::test]
async fn a_ledger_that_made_its_own_secret_says_where_that_is() {
    let (upstream, directory) = (Upstream::counting().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("a")).await;
    gateway.process.kill9().await;
    let at = gateway.directory.path().join("ledger");
    let (source, file) = (format!("embedded:{}", at.display()), directory.path().join("file"));
    let exported = ledger(&["export", "--yes", "--ledger", &source, file.to_str().unwrap()]).await;
    exported.assert(DONE, &[&format!("ONLYONCE_SECRET=$(cat {})", at.join("secret").display())]);
    let target = migrated().await;
    ledger(&["import", "--ledger", &target, file.to_str().unwrap()]).await.assert(DONE, &[]);
    let secret = std::fs::read_to_string(at.join("secret")).unwrap();
    let setup = Setup::anonymous().ledger(&target).environment(SECRET.0, secret.trim());
    let gateway = Gateway::start(&upstream.url(), setup).await;
    assert_replays(&send(gateway.address, &transfer("a")).await, &first);
}

/// As one moves a ledger without room for a file.
#[tokio::test]
async fn a_ledger_goes_through_a_pipe() {
    let upstream = Upstream::counting().await;
    let mut gateway =
        Gateway::start(&upstream.url(), Setup::anonymous().environment(SECRET.0, SECRET.1)).await;
    let first = send(gateway.address, &transfer("a")).await;
    gateway.process.kill9().await;
    let source = format!("embedded:{}", gateway.directory.path().join("ledger").display());
    let target = migrated().await;
    let program = env!("CARGO_BIN_EXE_onlyonce");
    let script = format!(
        "{program} ledger export --yes --ledger '{source}' - | {program} ledger import --ledger '{target}' -"
    );
    let ended = tokio::process::Command::new("sh").args(["-c", &script]).output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let gateway = Gateway::start(&upstream.url(), on(&target)).await;
    assert_replays(&send(gateway.address, &transfer("a")).await, &first);
}
