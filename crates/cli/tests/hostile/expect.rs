//! `Expect: 100-continue`: who asks before he sends is told before he sends.

use onlyonce_testbed::client::Connection;

use crate::{
    gateway::Setup,
    scene::{Scene, keyed},
    transfer::assert_executed,
};

const EXPECT: &str = "Expect: 100-continue\r\n";

/// Everything that can be judged without the body is.
#[tokio::test]
async fn what_is_refused_without_its_body_is_refused_before_100() {
    let scene = Scene::new().await;
    let length = format!("{EXPECT}Content-Length: 5\r\n");
    let usual = keyed(&length, "");
    for (request, status, problem) in [
        (usual.replace(": k\r", ": a,b\r"), 400, "key-invalid"),
        (usual.replace("Idempotency-Key: k\r\n", ""), 400, "key-missing"),
        (usual.replace("/transfers", "//transfers"), 400, "request-ambiguous"),
        (keyed(&format!("{length}Early-Data: 1\r\n"), ""), 425, "too-early"),
        (keyed(&format!("{EXPECT}Content-Length: 2000000\r\n"), ""), 413, "request-too-large"),
    ] {
        let (_, answer) = scene.tell(request).await;
        assert_eq!(answer.interim, [], "{problem}");
        assert_eq!(
            (answer.status, answer.json()["type"].as_str().unwrap().ends_with(problem)),
            (status, true)
        );
        scene.assert_left_nothing().await;
    }
    let nobody = Scene::with(Setup::default()).await;
    let (_, answer) = nobody.tell(usual).await;
    assert_eq!((answer.status, answer.interim.len()), (401, 0));
    nobody.assert_left_nothing().await;
}

#[tokio::test]
async fn a_body_that_is_wanted_is_asked_for_and_the_upstream_is_not_asked_again() {
    let scene = Scene::new().await;
    let mut connection: Connection = scene.connect().await;
    connection.write(keyed(&format!("{EXPECT}Content-Length: 5\r\n"), "").as_bytes()).await.unwrap();
    let interim = connection.read(b"HTTP/1.1 100 Continue\r\n\r\n".len()).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"), "{interim:?}");
    scene.assert_left_nothing().await;
    connection.write(b"hello").await.unwrap();
    assert_executed(&connection.answer("POST").await.unwrap(), 201);
    let seen = &scene.upstream.seen()[0];
    assert_eq!((seen.header("expect"), seen.body.as_slice()), (None, &b"hello"[..]));
}
