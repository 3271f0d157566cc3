//! The policy document: what callers may rely on, for the routes that say so.

use onlyonce_testbed::{client::Request, effects::Upstream};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, send},
};

const PATH: &str = "/.well-known/idempotency";

#[tokio::test]
async fn published_routes_are_told_and_others_are_not() {
    let upstream = Upstream::counting().await;
    let routes = "[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"\npublish = true\non_mismatch = 409\n\
                  retain_result = \"12h\"\n[route.outcome]\n500 = \"unknown\"\n\
                  [[route]]\nmatch = \"POST /internal\"\n";
    let gateway = Gateway::start(&upstream.url(), Setup::default().table(routes)).await;
    let answer = send(gateway.address, &Request::get(PATH)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    let document = answer.json();
    assert!(!answer.text().contains("/internal"), "{document}");
    assert_eq!(document["routes"].as_array().map(Vec::len), Some(1));
    let route = &document["routes"][0];
    for (name, value) in [
        ("match", json!("POST /transfers")),
        ("methods", json!(["POST"])),
        ("key", json!("required")),
        ("carriers", json!(["header:idempotency-key"])),
        ("syntax", json!("lenient")),
        ("mismatch", json!(409)),
        (
            "retention",
            json!({ "result": { "seconds": 43200, "text": "12h" }, "key": { "seconds": 604_800, "text": "7d" } }),
        ),
    ] {
        assert_eq!(route[name], value, "{name}");
    }
    let says = |outcome: &str, statuses: &str| {
        route["outcomes"][outcome].as_array().is_some_and(|list| list.contains(&statuses.into()))
    };
    assert!(says("kept", "200-306") && says("kept", "501") && !says("kept", "500-501"), "{document}");
    assert!(says("released", "428-429") && says("released", "503 with Retry-After"), "{document}");
    assert!(says("unknown", "500") && says("unknown", "502-504"), "{document}");
    assert!(document["principal"]["note"].as_str().is_some_and(|note| note.contains("refreshed token")));
    let posted = send(gateway.address, &Request::post(PATH)).await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(upstream.arrivals(), 0);
}

#[tokio::test]
async fn where_nothing_is_published_there_is_nothing() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::default()).await;
    let answer = send(gateway.address, &Request::get(PATH)).await;
    assert_problem(&answer, 404, "not-found");
    assert_eq!(upstream.arrivals(), 0);
}
