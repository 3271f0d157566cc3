//! What operators see: every metric of the catalogue and no other, and log lines that name their operation and say why
//! in words. What neither of them shows is in `secrets`.

use std::collections::BTreeSet;

use onlyonce_testbed::{
    Gate,
    client::{self, Request},
    effects::{Answer, Upstream},
};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, send, transfer},
};

const CREDENTIAL: &str = "Bearer ana";

fn request(path: &str, key: &str, amount: u32) -> Request {
    Request::post(path).key(key).header("authorization", CREDENTIAL).json(&json!({ "amount": amount }))
}

/// Answers by the path's last part, which is a status.
async fn upstream() -> Upstream {
    Upstream::start(|arrival| async move {
        let status = arrival.seen.path.rsplit('/').next().and_then(|text| text.parse().ok()).unwrap_or(201);
        arrival.execute();
        Answer::json(status, &json!({ "id": "transfer-7" }))
    })
    .await
}

fn setup() -> Setup {
    Setup::default()
        .defaults("request_limit = \"2KiB\"\nanswer_limit = \"2KiB\"\nresource = \"body:/id\"")
        .table("[[route]]\nmatch = \"POST /required\"\nkey = \"required\"\n")
        .environment("ONLYONCE_LOG", "trace")
        .environment("ONLYONCE_LOG_FORMAT", "json")
}

/// One request, at least, for each result that a caller can bring about by himself.
async fn be_busy(gateway: &Gateway) {
    for _ in 0..2 {
        send(gateway.address, &request("/a/201", "kept", 1)).await;
        send(gateway.address, &request("/a/504", "unknown", 1)).await;
    }
    send(gateway.address, &request("/a/201", "kept", 2)).await;
    send(gateway.address, &request("/a/429", "released", 1)).await;
    send(gateway.address, &request("/required", "one", 1).key("second line")).await;
    send(gateway.address, &Request::post("/required").header("authorization", CREDENTIAL)).await;
    send(gateway.address, &Request::post("/required")).await;
    send(gateway.address, &Request::post("/a/201")).await;
    send(gateway.address, &request("//required", "two-ways", 1)).await;
    let large = request("/a/201", "large", 1).body("x".repeat(3000));
    let _ = client::send(gateway.address, &large).await;
}

#[tokio::test]
async fn every_metric_of_the_catalogue_is_there_and_no_other() {
    let upstream = upstream().await;
    let gateway = Gateway::start(&upstream.url(), setup()).await;
    be_busy(&gateway).await;
    let text = gateway.ask(&Request::get("/metrics")).await.text();
    for sample in [
        "onlyonce_requests_total{route=\"*\",result=\"executed\"} 1",
        "onlyonce_requests_total{route=\"*\",result=\"replayed\"} 1",
        "onlyonce_requests_total{route=\"*\",result=\"mismatch\"} 1",
        "onlyonce_requests_total{route=\"*\",result=\"unknown\"} 2",
        "onlyonce_requests_total{route=\"*\",result=\"released\"} 1",
        "onlyonce_requests_total{route=\"*\",result=\"passed\"} 1",
        "onlyonce_requests_total{route=\"*\",result=\"invalid\"} 1",
        // The path that reads two ways counts where one of the ways leads.
        "onlyonce_requests_total{route=\"POST /required\",result=\"invalid\"} 2",
        "onlyonce_requests_total{route=\"POST /required\",result=\"missing\"} 1",
        "onlyonce_requests_total{route=\"POST /required\",result=\"unauthenticated\"} 1",
        "onlyonce_upstream_outcome_total{outcome=\"kept\"} 1",
        "onlyonce_upstream_outcome_total{outcome=\"released\"} 1",
        "onlyonce_upstream_outcome_total{outcome=\"unknown\"} 1",
        "onlyonce_unknown_records{route=\"*\"} 1",
        "onlyonce_open_records 1",
        "onlyonce_critical_section_seconds_count 3",
        "onlyonce_key_reuse_age_seconds_count 3",
        "onlyonce_settled_total{by=\"operator\"} 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
    }
    let catalogue: BTreeSet<_> = onlyonce_core::metric::ALL.iter().map(|metric| metric.name).collect();
    let shown: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(shown, catalogue);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert!(catalogue.contains(name) || family.is_some_and(|name| catalogue.contains(name)), "{line}");
    }
    let bytes = text.lines().find_map(|line| line.strip_prefix("onlyonce_ledger_bytes ")).unwrap();
    assert!(bytes.parse::<u64>().unwrap() > 0);
}

/// Whoever is on call for an unknown sees in the line which operation it is.
#[tokio::test]
async fn a_line_of_json_names_its_operation_and_its_request() {
    let upstream = upstream().await;
    let mut gateway = Gateway::start(&upstream.url(), setup()).await;
    be_busy(&gateway).await;
    gateway.process.kill9().await;
    let stderr = gateway.process.stderr();
    let object = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let lines: Vec<Value> = stderr.iter().map(object).collect();
    let banner =
        lines.iter().find(|line| line["message"].as_str().unwrap().starts_with("listening on http://"));
    let banner = banner.expect("what start-up says stands among the lines");
    assert!(banner["level"] == "INFO" && banner["timestamp"].as_str().unwrap().ends_with('Z'), "{banner}");
    let told =
        |message: &str| lines.iter().filter(move |line| line["message"] == message).collect::<Vec<_>>();
    let unknown = told("an outcome is unknown");
    let reference = unknown[0]["idempotency.operation_ref"].as_str().unwrap();
    assert!(reference.starts_with("op_"));
    assert_eq!(unknown[0]["cause"], "answered", "in the word by which operators ask for it");
    let span = &unknown[0]["span"];
    assert_eq!(
        (&span["name"], &span["idempotency.operation_ref"]),
        (&"keyed_request".into(), &reference.into())
    );
    assert_eq!(span["idempotency.key_hash"].as_str().map(str::len), Some(12));
    let replayed = told("a keyed request was answered");
    let replayed = replayed.iter().find(|line| line["idempotency.result"] == "replayed").unwrap();
    assert_eq!(replayed["span"]["idempotency.resource"], "transfer-7");
    let mismatch = told("a key came again with another request, which was not executed");
    assert_eq!(mismatch[0]["idempotency.operation_ref"], replayed["span"]["idempotency.operation_ref"]);
}

/// They were told as the code spells them: `TooEarly(Timestamp(1796…))`, `Refused(SettledOtherwise)`.
#[tokio::test]
async fn what_is_refused_is_told_in_a_word() {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let setup = Setup::anonymous()
        .defaults("deadline = \"200ms\"\nsettle_after = \"1h\"")
        .environment("ONLYONCE_LOG", "info")
        .environment("ONLYONCE_LOG_FORMAT", "json");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let first = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&first, 504, "outcome-unknown");
    let reference = document["operation_ref"].as_str().unwrap();
    let decision = |verdict: &str| {
        let mut decision =
            json!({ "as": verdict, "state": "unknown", "fence": 1, "reason": "looked", "by": "ana" });
        if verdict == "applied" {
            decision["status"] = 201.into();
        }
        decision
    };
    assert_eq!(gateway.settle(reference, &decision("not-applied")).await.status, 409);
    assert_eq!(gateway.settle(reference, &decision("applied")).await.status, 200);
    after.open();
    for (message, field, word) in [
        ("an operator was refused", "refusal", "too-early"),
        ("an answer goes out that is not on record", "why", "settled-otherwise"),
    ] {
        let line: Value = serde_json::from_str(&gateway.process.ready(message).await).unwrap();
        assert_eq!((&line[field], &line["idempotency.operation_ref"]), (&word.into(), &reference.into()));
    }
}
