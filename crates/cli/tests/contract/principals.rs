//! Who asks, from outside: what is said about tokens, and what is never guessed.

use onlyonce_testbed::{client::Request, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, send, transfer},
};

/// Of no use to anybody, in the shape of a JSON Web Token.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl";
const REFRESHED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEiLCJuIjoxfQ.c2lnbmF0dXJl";

fn with(token: &str, key: &str) -> Request {
    transfer(key).header("authorization", format!("Bearer {token}"))
}

/// A caller whose token is refreshed between two attempts is another caller to whoever hashes tokens, and its repeat runs
/// again: the one system that was seen to do so did it in silence. Here it is said, once, with the cure; each one is
/// counted, and no token is logged.
#[tokio::test]
async fn f23_a_token_that_can_be_refreshed_is_told_once_with_the_cure() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::default()).await;
    for (token, times) in [("opaque-token", 0), ("a.b.c", 0), (TOKEN, 1), (REFRESHED, 2), (TOKEN, 3)] {
        send(gateway.address, &with(token, "k")).await;
        assert_eq!(gateway.metric("onlyonce_token_principals_total").await, times, "{token}");
    }
    assert_eq!(upstream.executions("k"), 4, "a refreshed token is another caller");
    let log = gateway.process.output();
    assert_eq!(log.matches("JSON Web Tokens").count(), 1, "{log}");
    assert!(log.contains("principal.credential") && log.contains("trusted proxy"), "{log}");
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}

/// A scope made of the caller's address is shared by everybody behind one NAT. Nobody's address says who they are: a
/// request without a credential is refused until somebody writes that the API knows no callers.
#[tokio::test]
async fn f24_an_address_is_nobody_and_anonymous_must_be_asked_for() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::default()).await;
    for spoof in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let refused = send(gateway.address, &transfer("k").header(spoof, "10.0.0.1")).await;
        assert_problem(&refused, 401, "principal-required");
        assert!(refused.text().contains("--principal anonymous"), "{}", refused.text());
    }
    assert_eq!(upstream.arrivals(), 0);
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    assert_eq!(send(gateway.address, &transfer("k")).await.status, 201);
}

/// An application-wide token in `Authorization` with the user elsewhere would give all users one scope. What is listed
/// counts together, so one user's key is never another's.
#[tokio::test]
async fn everything_that_is_listed_says_who_asks() {
    let upstream = Upstream::counting().await;
    let setup = Setup::default().table(
        "[principal]\ncredential = [\"header:authorization\", \"header:x-api-key\", \"cookie:session\"]",
    );
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let ask = |api_key: &str, session: &str| {
        let request = transfer("k").header("authorization", "Bearer app").header("x-api-key", api_key);
        request.header("cookie", format!("theme=dark; session={session}"))
    };
    for (api_key, session, effects) in
        [("a", "1", 1), ("a", "1", 1), ("b", "1", 2), ("a", "2", 3), ("ab", "", 4), ("a", "1", 4)]
    {
        assert_eq!(send(gateway.address, &ask(api_key, session)).await.status, 201);
        assert_eq!(upstream.executions("k"), effects, "{api_key} {session}");
    }
}

/// A header that names the caller is taken from trusted peers only, and goes no further from anybody else.
#[tokio::test]
async fn a_header_that_says_who_asks_counts_from_trusted_peers_only() {
    let upstream = Upstream::counting().await;
    let trusting_nobody_here = "[principal]\nfrom = \"header\"\ntrusted = [\"10.0.0.0/8\"]";
    let gateway = Gateway::start(&upstream.url(), Setup::default().table(trusting_nobody_here)).await;
    let refused = send(gateway.address, &transfer("k").header("x-principal", "ana")).await;
    assert_problem(&refused, 401, "principal-required");
    send(gateway.address, &Request::get("/").header("x-principal", "ana")).await;
    assert_eq!(upstream.seen()[0].header("x-principal"), None, "an upstream might believe it");
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    for request in [
        transfer("k"),
        transfer("k").header("x-principal", ""),
        transfer("k").header("x-principal", "ana").header("x-principal", "luis"),
    ] {
        assert_problem(&send(gateway.address, &request).await, 401, "principal-required");
    }
    let hidden = transfer("k").header("x-principal", "ana").header("connection", "x-principal");
    assert_problem(&send(gateway.address, &hidden).await, 400, "request-ambiguous");
    assert_eq!(upstream.executions("k"), 0);
}
