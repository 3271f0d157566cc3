//! `ledger restored`.

use std::{path::Path, process::Command};

use onlyonce_core::Timestamp;
use onlyonce_testbed::{client::Request, effects::Upstream};

use crate::{
    born::{born, now},
    command::{DONE, Ended, LEDGER, USAGE, onlyonce},
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, send},
};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

const ROUTES: &str = r#"
[[route]]
match = "POST /needs-a-key"
key = "required"

[[route]]
match = "POST /needs-one-and-goes-on"
key = "required"
after_restore = "new"

[[route]]
match = "POST /may-have-one"

[[route]]
match = "POST /may-have-one-and-is-careful"
after_restore = "refuse"
"#;

fn routes() -> Setup {
    Setup::anonymous().table(ROUTES)
}

fn request(path: &str, key: &str) -> Request {
    Request::post(path).header("Host", "bank.example").key(key).body("x")
}

fn embedded(gateway: &Gateway) -> String {
    format!("embedded:{}", gateway.directory.path().join("ledger").display())
}

async fn restored(ledger: &str, since: Option<u64>) -> Ended {
    let since = since.map(|ms| Timestamp::from_ms(ms).to_string());
    let since: Vec<_> = since.iter().flat_map(|time| ["--since", time]).collect();
    onlyonce(&[&["ledger", "restored", "--yes", "--ledger", ledger], &since[..]].concat(), &[]).await
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// What was executed since the copy looked new, and ran again.
#[tokio::test]
async fn after_a_restore_keys_that_may_be_forgotten_are_refused_and_run_nothing() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), routes()).await;
    let at = gateway.directory.path().to_owned();
    let known = send(gateway.address, &request("/needs-a-key", "known")).await;
    gateway.process.kill9().await;
    copy(&at.join("ledger"), &at.join("copy"));
    gateway.restart().await;
    let forgotten = [born(now() - MINUTE), "no-birth".to_owned()];
    for key in &forgotten {
        assert_executed(&send(gateway.address, &request("/needs-a-key", key)).await, 201);
    }
    gateway.process.kill9().await;
    std::fs::rename(at.join("ledger"), at.join("lost")).unwrap();
    std::fs::rename(at.join("copy"), at.join("ledger")).unwrap();
    restored(&embedded(&gateway), None)
        .await
        .assert(DONE, &["keys from before 20", "are refused from now on", "`after_restore = \"new\"`"]);
    gateway.restart().await;

    for key in &forgotten {
        let refused = send(gateway.address, &request("/needs-a-key", key)).await;
        let document = assert_problem(&refused, 409, "key-expired");
        assert!(
            document["detail"].as_str().unwrap().contains("before this service was restored"),
            "{document:#}"
        );
    }
    assert_replays(&send(gateway.address, &request("/needs-a-key", "known")).await, &known);
    // Of a key that tells its birth it is known, with what clocks may be apart.
    for (path, undated) in [
        ("/needs-a-key", 409),
        ("/needs-one-and-goes-on", 201),
        ("/may-have-one", 201),
        ("/may-have-one-and-is-careful", 409),
    ] {
        let status = async |key: &str| send(gateway.address, &request(path, key)).await.status;
        assert_eq!(status(&format!("of-{}", &path[1..])).await, undated, "{path}");
        // No two paths are as long, so each has keys of its own.
        let of_the_route = path.len() as u64;
        assert_eq!(status(&born(now() - DAY - of_the_route)).await, 409, "{path}");
        assert_eq!(status(&born(now() + of_the_route)).await, 409, "{path}");
        assert_eq!(status(&born(now() + 6 * MINUTE + of_the_route)).await, 201, "{path}");
    }
    // Known, forgotten, what was taken for new of keys without a birth, and one dated key of each route.
    assert_eq!(upstream.total(), 1 + 2 + 2 + 4);
}

#[tokio::test]
async fn what_was_lost_counts_until_it_would_have_ended() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), routes()).await;
    gateway.process.kill9().await;
    let ledger = embedded(&gateway);
    restored(&ledger, Some(now() - 8 * DAY)).await.assert(DONE, &[]);
    gateway.restart().await;
    for key in [born(now() - 9 * DAY), "no-birth".to_owned()] {
        assert_executed(&send(gateway.address, &request("/needs-a-key", &key)).await, 201);
    }
    gateway.process.kill9().await;
    let since = (now() - 6 * DAY) / 1000 * 1000;
    // To the second, and with what clocks may be apart.
    let new = format!("are new from {} on", Timestamp::from_ms(since + 5 * MINUTE));
    restored(&ledger, Some(since)).await.assert(DONE, &[&new, "next: let its gateways serve, from "]);
    // An earlier one changes nothing.
    let stands = Timestamp::from_ms(since).to_string();
    restored(&ledger, Some(now() - 8 * DAY)).await.assert(DONE, &["nothing has changed", &stands, &new]);
    // A later one does.
    let later = Timestamp::from_ms(since + MINUTE).to_string();
    restored(&ledger, Some(since + MINUTE))
        .await
        .assert(DONE, &[&format!("keys from before {later} (until now it was {stands})")]);
    gateway.restart().await;
    for key in [born(now() - 7 * DAY), "no-birth-either".to_owned()] {
        assert_problem(&send(gateway.address, &request("/needs-a-key", &key)).await, 409, "key-expired");
    }
    assert_eq!(upstream.total(), 2);
}

#[tokio::test]
async fn a_restore_that_makes_no_sense_is_refused() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), routes()).await;
    let ledger = embedded(&gateway);
    restored(&ledger, None).await.assert(LEDGER, &["another process has it open"]);
    gateway.process.kill9().await;
    restored(&ledger, Some(now() + DAY))
        .await
        .assert(LEDGER, &[&format!("error: {ledger}: 20"), "is still to come"]);
    let told =
        onlyonce(&["ledger", "restored", "--yes", "--ledger", &ledger, "--since", "yesterday"], &[]).await;
    told.assert(USAGE, &["`yesterday` is no time", "2026-11-23T10:12:07Z"]);
    // It cannot be taken back, and nobody sits there.
    let asked = onlyonce(&["ledger", "restored", "--ledger", &ledger], &[]).await;
    asked.assert(USAGE, &["refuse keys", "there is no terminal to ask on", "--yes"]);
    let nowhere = format!("{ledger}-that-is-not-there");
    restored(&nowhere, None).await.assert(LEDGER, &["there is no ledger at"]);
    gateway.restart().await;
    assert_executed(&send(gateway.address, &request("/needs-a-key", "k")).await, 201);
}
