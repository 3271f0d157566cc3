//! Whom and what a request names: targets, hosts, methods, versions.

use onlyonce_testbed::client::Request;

use crate::{
    scene::{Scene, keyed},
    transfer::{assert_executed, assert_problem, assert_replays, said, send},
};

#[tokio::test]
async fn a_target_that_is_no_path_and_a_host_that_is_not_there_are_refused() {
    let scene = Scene::new().await;
    let usual = keyed("Content-Length: 0\r\n", "");
    for request in [
        usual.replace("/transfers", "*"),
        usual.replace("/transfers", "bank.example:80"),
        usual.replace("/transfers", "http://ana:pw@bank.example/transfers"),
        usual.replace("POST /transfers", "CONNECT bank.example:80"),
        usual.replace("Host: bank.example\r\n", ""),
        usual.replace("Host: bank.example\r\n", "Host: bank.example\r\nHost: other.example\r\n"),
        usual.replace("POST", "post"),
        usual.replace("POST", "Post"),
    ] {
        scene.assert_refused(400, "request-ambiguous", request).await;
    }
}

/// The target beats `Host` (RFC 9112, section 3.2.2), so the request is the same as the one that names it there.
#[tokio::test]
async fn an_absolute_target_names_the_host_and_is_judged_by_its_path() {
    let scene = Scene::new().await;
    let absolute = keyed("Content-Length: 0\r\n", "")
        .replace("/transfers", "http://bank.example/transfers")
        .replace("Host: bank.example", "Host: other.example");
    let (_, first) = scene.tell(absolute).await;
    assert_executed(&first, 201);
    assert_eq!(scene.upstream.seen()[0].header("host"), Some("bank.example"));
    let (_, repeat) = scene.tell(keyed("Content-Length: 0\r\n", "")).await;
    assert_replays(&repeat, &first);
    let doubled = keyed("", "").replace("/transfers", "http://bank.example//transfers");
    let (_, answer) = scene.tell(doubled).await;
    assert_eq!((answer.status, scene.upstream.arrivals()), (400, 1));
}

/// A target has no fragment (RFC 9112, section 3.2). Whoever sends one is judged by what is forwarded.
#[tokio::test]
async fn what_stands_behind_a_number_sign_goes_nowhere() {
    let scene = Scene::new().await;
    let (_, first) =
        scene.tell(keyed("Content-Length: 0\r\n", "").replace("/transfers", "/transfers#/a")).await;
    assert_executed(&first, 201);
    assert_eq!(scene.upstream.seen()[0].path, "/transfers");
    let (_, repeat) = scene.tell(keyed("Content-Length: 0\r\n", "")).await;
    assert_replays(&repeat, &first);
    let keyless = keyed("Content-Length: 0\r\n", "")
        .replace("Idempotency-Key: k\r\n", "")
        .replace("/transfers", "/transfers#?x");
    assert_problem(&scene.tell(keyless).await.1, 400, "key-missing");
    assert_eq!(scene.upstream.arrivals(), 1);
}

#[tokio::test]
async fn http_1_0_has_keys_too() {
    let scene = Scene::new().await;
    let old = "POST /transfers HTTP/1.0\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}";
    for status in ["executed", "replayed"] {
        let mut connection = scene.connect().await;
        connection.write(old.as_bytes()).await.unwrap();
        let answer = String::from_utf8(connection.read_to_end().await.unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.0 201"), "{answer}");
        assert!(answer.contains(&format!("idempotency-status: {status}")), "{answer}");
        assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
    }
    assert_eq!(scene.upstream.executions("k"), 1);
}

/// A 101 could not be kept, and what follows it could not be judged.
#[tokio::test]
async fn a_keyed_request_that_wants_another_protocol_gets_an_answer_in_this_one() {
    for upgrade in ["websocket", "h2c"] {
        let scene = Scene::new().await;
        let lines = format!("Connection: upgrade\r\nUpgrade: {upgrade}\r\nContent-Length: 0\r\n");
        let (_, answer) = scene.tell(keyed(&lines, "")).await;
        assert_executed(&answer, 201);
        let seen = &scene.upstream.seen()[0];
        assert!(!seen.headers.contains("upgrade") && !seen.headers.contains("connection"), "{upgrade}");
    }
}

#[tokio::test]
async fn a_key_on_trace_means_nothing() {
    let scene = Scene::new().await;
    for _ in 0..2 {
        let answer = send(scene.gateway.address, &Request::new("TRACE", "/transfers").key("k")).await;
        assert_eq!((answer.status, said(&answer)), (201, None));
    }
    assert_eq!(scene.upstream.arrivals(), 2);
}
