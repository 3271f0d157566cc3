//! What the gateway cannot be sure of does not run. (F25 and F26 need a store that loses replies: they are told in the
//! ledger's own tests.)

use onlyonce_testbed::{client::Request, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, send, transfer},
};

/// Two customers behind one address share nothing but the address. Who is meant has to be said, or written out that it
/// does not matter.
#[tokio::test]
async fn f24_without_a_word_about_principals_nobody_is_anonymous() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::default()).await;
    let answer = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&answer, 401, "principal-required");
    assert!(document["detail"].as_str().unwrap().contains("--principal anonymous"), "the cure is named");
    assert_eq!(upstream.arrivals(), 0);
    let ana = transfer("k").header("authorization", "Bearer ana");
    let first = send(gateway.address, &ana).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &ana).await, &first);
    assert_executed(&send(gateway.address, &transfer("k").header("authorization", "Bearer luis")).await, 201);
}

/// A session cookie that is overlooked puts all users of a site into one scope.
#[tokio::test]
async fn f29_a_cookie_of_which_nobody_said_what_it_means_is_refused() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::default()).await;
    let request = transfer("k").header("authorization", "Bearer site").header("cookie", "session=ana");
    assert_problem(&send(gateway.address, &request).await, 401, "principal-required");
    assert_eq!(upstream.arrivals(), 0);
    let unkeyed = Request::get("/").header("cookie", "session=ana");
    assert_eq!(
        send(gateway.address, &unkeyed).await.status,
        201,
        "cookies are no business of unkeyed requests"
    );
}

/// Where a failing store is passed over, every request runs, and runs again. A ledger without room lets no key in, and
/// stands in nobody else's way.
#[tokio::test]
async fn f29_without_room_in_the_ledger_no_keyed_request_runs() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("old")).await;
    gateway.process.kill9().await;
    gateway.set_up(Setup::anonymous().table("[ledger]\nmax_bytes = \"1KiB\""));
    gateway.restart().await;
    let answer = send(gateway.address, &transfer("new")).await;
    let document = assert_problem(&answer, 503, "capacity");
    assert_eq!((&document["next"], &document["retryable"]), (&"same-key".into(), &true.into()));
    let seconds: u64 = answer.header("retry-after").and_then(|value| value.parse().ok()).unwrap();
    assert!((1..=3).contains(&seconds));
    assert_replays(&send(gateway.address, &transfer("old")).await, &first);
    assert_eq!(send(gateway.address, &Request::post("/unkeyed")).await.status, 201);
    assert_eq!((upstream.executions("new"), upstream.total()), (0, 2));
}
