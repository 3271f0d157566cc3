//! Requests that leave open who sends them.

use onlyonce_testbed::client::Request;

use crate::{
    gateway::Setup,
    scene::Scene,
    transfer::{assert_executed, assert_problem, assert_replays, send},
};

/// A session cookie that is overlooked puts all users of a site into one scope, where they get each other's answers.
#[tokio::test]
async fn a_cookie_is_refused_until_somebody_says_what_it_means() {
    let of = |user: &str| {
        let cookies = format!("theme=dark; session={user}");
        Request::post("/").key("k").header("authorization", "Bearer site").header("cookie", cookies)
    };
    let scene = Scene::with(Setup::default()).await;
    let answer = send(scene.gateway.address, &of("ana")).await;
    let document = assert_problem(&answer, 401, "principal-required");
    assert!(document["detail"].as_str().unwrap().contains("principal.cookies"), "the cure is named");
    scene.assert_left_nothing().await;

    let listed = "[principal]\ncredential = [\"cookie:session\"]\n";
    let scene = Scene::with(Setup::default().table(listed)).await;
    let first = send(scene.gateway.address, &of("ana")).await;
    assert_executed(&first, 201);
    assert_executed(&send(scene.gateway.address, &of("luis")).await, 201);
    assert_replays(&send(scene.gateway.address, &of("ana")).await, &first);

    let scene = Scene::with(Setup::default().table("[principal]\ncookies = \"ignore\"\n")).await;
    let first = send(scene.gateway.address, &of("ana")).await;
    assert_executed(&first, 201);
    assert_replays(&send(scene.gateway.address, &of("luis")).await, &first);
}

/// Each request would be another principal, and no repeat would ever be recognised.
#[tokio::test]
async fn a_credential_that_changes_with_each_request_is_refused_with_the_reason() {
    let scene = Scene::with(Setup::default()).await;
    for scheme in ["Digest", "DPoP", "Signature", "Hawk", "OAuth", "Negotiate", "AWS4-HMAC-SHA256"] {
        let request = Request::post("/").key("k").header("authorization", format!("{scheme} x=1"));
        let document =
            assert_problem(&send(scene.gateway.address, &request).await, 401, "principal-required");
        assert!(document["detail"].as_str().unwrap().contains("another value in each request"), "{scheme}");
    }
    scene.assert_left_nothing().await;
}
