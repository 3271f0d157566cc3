//! A page of another origin in a real browser: it sends a key, and reads what became of it.
//!
//! Headless Chromium, a fresh profile, nothing but loopback. The page posts what it found to its own origin, where the
//! test waits for it; nothing depends on how fast the browser is.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

#[path = "../support/gateway.rs"]
mod gateway;

use std::{net::SocketAddr, process::Command, time::Duration};

use onlyonce_testbed::{
    effects::{Answer, Upstream},
    process::Server,
};
use serde_json::Value;
use tokio::sync::watch;

use crate::gateway::{Gateway, Setup};

/// The names under which the browser may be installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How long a browser may take to start and to play the page, on a machine that is busy with other tests.
const BROWSER_LIMIT: Duration = Duration::from_secs(120);
const QUIET: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    // The page needs no other host, and the browser gets none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// The page: a payment, its repeat, and another payment under the same key; what it reads goes to `/findings`.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>shop</title><script>
const pay = async amount => {
  const answer = await fetch("http://API/transfers", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": "k-1", authorization: "Bearer t" },
    body: JSON.stringify({ amount }),
  });
  const header = name => answer.headers.get(name);
  return {
    http: answer.status, key: header("idempotency-key"), status: header("idempotency-status"),
    replayed: header("idempotent-replayed"), expires: header("idempotency-expires"),
    type: header("content-type"), body: await answer.json(),
  };
};
const found = async () => {
  try { return [await pay(100), await pay(100), await pay(999)]; }
  catch (error) { return { error: String(error) }; }
};
found().then(found => fetch("/findings", { method: "POST", body: JSON.stringify(found) }));
</script>"#;

/// The origin of the page, and the place where it tells what it found. Which API it asks is said later: that one has to
/// know this origin first.
async fn shop() -> (watch::Sender<SocketAddr>, Upstream) {
    let (asks, api) = watch::channel(SocketAddr::from(([127, 0, 0, 1], 0)));
    let shop = Upstream::start(move |arrival| {
        let page = PAGE.replace("API", &api.borrow().to_string());
        async move {
            match (arrival.seen.method.as_str(), arrival.seen.path.as_str()) {
                ("GET", "/") => Answer::new(200).header("content-type", "text/html").body(page),
                ("POST", "/findings") => {
                    arrival.execute();
                    Answer::new(204)
                }
                _ => Answer::new(404),
            }
        }
    });
    (asks, shop.await)
}

/// An API that has never heard of CORS.
async fn api() -> Upstream {
    Upstream::start(|arrival| async move {
        match arrival.seen.method.as_str() {
            "POST" => Answer::created(&arrival.execute(), &arrival.seen),
            _ => Answer::new(405).header("allow", "POST"),
        }
    })
    .await
}

/// Opens the page, and has what it found.
async fn found(shop: &Upstream) -> Value {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser());
    command.args(QUIET).arg(format!("--user-data-dir={}", profile.path().display())).arg(shop.url());
    command.env("HOME", profile.path());
    let browser = Server::spawn_command(command);
    let told = tokio::time::timeout(BROWSER_LIMIT, shop.executed(1)).await;
    assert!(told.is_ok(), "the page told nothing; the browser said\n{}", browser.output());
    let seen = shop.seen();
    seen.iter().find(|seen| seen.path == "/findings").unwrap().json()
}

#[expect(clippy::disallowed_methods, reason = "where programs are is for the environment to say")]
fn browser() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).exists());
    BROWSERS.iter().find(is_there).expect("no browser is installed; `cargo xtask tools` installs one")
}

/// The shop's gateway, which lists this origin.
async fn gateway(api: &Upstream, origin: &str) -> Gateway {
    let setup = Setup::default().table(&format!("[cors]\norigins = [\"{origin}\"]"));
    Gateway::start(&api.url(), setup).await
}

#[tokio::test]
async fn a_page_of_a_listed_origin_reads_the_status_of_its_key_and_a_problem() {
    let api = api().await;
    let (asks, shop) = shop().await;
    let gateway = gateway(&api, shop.url().trim_end_matches('/')).await;
    asks.send_replace(gateway.address);
    let found = found(&shop).await;
    let (first, repeat, other) = (&found[0], &found[1], &found[2]);
    assert_eq!(first["http"], 201, "{found}");
    assert_eq!(first["status"], "executed", "{found}");
    assert_eq!(first["key"], "k-1", "{found}");
    assert_eq!((&repeat["status"], &repeat["replayed"]), (&"replayed".into(), &"true".into()), "{found}");
    assert_eq!(repeat["body"], first["body"], "{found}");
    assert!(repeat["expires"].as_str().is_some_and(|date| date.ends_with(" GMT")), "{found}");
    assert_eq!(other["http"], 422, "{found}");
    assert_eq!(other["type"], "application/problem+json", "{found}");
    assert_eq!(other["body"]["differs"][0], "/amount", "{found}");
    assert_eq!(api.total(), 1);
}

/// The counterpart, without which the other test would prove nothing.
#[tokio::test]
async fn a_page_of_another_origin_reads_nothing_and_does_nothing() {
    let api = api().await;
    let (asks, shop) = shop().await;
    let gateway = gateway(&api, "https://shop.example").await;
    asks.send_replace(gateway.address);
    let found = found(&shop).await;
    assert!(found["error"].as_str().is_some_and(|error| error.contains("Failed to fetch")), "{found}");
    assert_eq!(api.total(), 0, "its preflight failed");
}
