//! Paths that two programs may read as two.

use crate::scene::{Scene, keyed};

/// Whoever gets one of these past a route that asks for a key has a request that nobody protects.
#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_refused_with_a_document() {
    let scene = Scene::new().await;
    for path in [
        "//transfers",
        "/transfers//",
        "/./transfers",
        "/a/../transfers",
        "/a/%2e%2e/transfers",
        "/a/.%2E/transfers",
        "/%74ransfers",
        "/transfers;v=1",
        "/a%2Ftransfers",
        "/a%2f..%2ftransfers",
        "/\\transfers",
        "/%5ctransfers",
        "/transfers%00",
        "/transfers%0d%0a",
        "/transfers%7f",
        "/transfers%",
        "/transfers%7",
        "/transfers%zz",
        "/transfers%3bv=1",
        "/%2574ransfers",
        "/transfers%252e",
        "/%C1%B4ransfers",
        "/transfers%ff",
    ] {
        for request in
            [keyed("Content-Length: 0\r\n", ""), keyed("", "").replace("Idempotency-Key: k\r\n", "")]
        {
            let request = request.replace("/transfers", path);
            scene.assert_refused(400, "request-ambiguous", request).await;
        }
    }
}

/// The query is not a path, and what is beyond ASCII is just what it is.
#[tokio::test]
async fn a_path_that_can_be_read_in_one_way_is_forwarded_as_it_came() {
    let scene = Scene::new().await;
    let paths = [
        "/transfers?next=//a/../b;c%2f",
        "/caf%C3%A9",
        "/caf\u{e9}",
        "/a%20b",
        "/.well-known/x",
        "/a..b",
        "/%7B",
        "/a%3Ab%40c",
        "/100%25",
        "/%23room:example.org",
    ];
    for (n, path) in paths.iter().enumerate() {
        let request = keyed("Content-Length: 0\r\n", "")
            .replace("/transfers", path)
            .replace(": k\r", &format!(": k-{n}\r"));
        assert_eq!(scene.tell(request).await.1.status, 201, "{path}");
        assert_eq!(scene.upstream.seen()[n].path, *path);
    }
}
