//! The operators' listener from outside.

use onlyonce_testbed::{
    client::{self, Request},
    effects::Upstream,
};

use crate::gateway::{Gateway, Setup};

/// hyper of itself takes ten times as much.
#[tokio::test]
async fn operators_are_served_within_the_same_bounds_as_callers() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    for (bytes, served) in [(1024, true), (200 * 1024, false)] {
        let request = Request::get("/healthz").header("x-long", "x".repeat(bytes));
        // Told 431, or cut off before it could read that: it is still writing.
        let answer = client::send(gateway.admin, &request).await;
        assert_eq!(answer.is_ok_and(|answer| answer.status == 200), served, "{bytes} bytes");
    }
}
