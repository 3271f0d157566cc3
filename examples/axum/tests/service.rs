//! The service and its provider as processes: what their callers see, and what the provider was asked to do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{net::SocketAddr, process::Command};

use onlyonce_testbed::{
    Close, Gate,
    client::{self, Connection, Point, Request, Response, abandon},
    effects::Upstream,
    process::{Port, Server},
};
use serde_json::json;
use tempfile::TempDir;

struct Service {
    process: Server,
    address: SocketAddr,
    directory: TempDir,
    provider: SocketAddr,
}

impl Service {
    async fn start(provider: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (process, address) = spawn(&directory, provider).await;
        Self { process, address, directory, provider }
    }

    async fn crash_and_restart(&mut self) {
        self.process.kill9().await;
        (self.process, self.address) = spawn(&self.directory, self.provider).await;
    }

    async fn send(&self, request: &Request) -> Response {
        client::send(self.address, request).await.unwrap()
    }
}

async fn spawn(directory: &TempDir, provider: SocketAddr) -> (Server, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce-example-axum"));
    command.current_dir(directory.path()).args(["127.0.0.1:0".to_owned(), provider.to_string()]);
    let process = Server::spawn_command(command);
    let address = address(&process.ready("listening on http://").await);
    (process, address)
}

fn address(line: &str) -> SocketAddr {
    line.rsplit("http://").next().unwrap().trim().parse().unwrap()
}

fn transfer(key: &str) -> Request {
    transfer_of(key, 100)
}

fn transfer_of(key: &str, amount: u64) -> Request {
    by("ana", key).json(&json!({ "to": "luis", "amount": amount }))
}

fn by(user: &str, key: &str) -> Request {
    // The host counts, and a service that was started again has another port.
    let request = Request::post("/transfers").header("Host", "bank.example");
    request.header("Authorization", format!("Bearer {user}")).key(key)
}

fn problem(answer: &Response) -> String {
    let kind = answer.json()["type"].as_str().unwrap_or_default().to_owned();
    format!("{} {}", answer.status, kind.trim_start_matches("urn:problem-type:onlyonce:"))
}

fn assert_replays(answer: &Response, first: &Response) {
    assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{}", answer.text());
    assert_eq!(answer.header("idempotency-status"), Some("replayed"));
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(answer.header("content-type"), first.header("content-type"));
}

#[tokio::test]
async fn duplicates_are_one_charge_and_get_the_same_bytes() {
    let provider = Upstream::counting().await;
    let service = Service::start(provider.addr()).await;
    let address = service.address;
    let many: Vec<_> =
        (0..20).map(|_| tokio::spawn(async move { client::send(address, &transfer("k")).await })).collect();
    let mut answers = Vec::new();
    for one in many {
        answers.push(one.await.unwrap().unwrap());
    }
    let first = answers.iter().position(|one| one.header("idempotency-status") == Some("executed"));
    let first = answers.remove(first.unwrap());
    assert_eq!(first.status, 201);
    answers.iter().for_each(|other| assert_replays(other, &first));
    assert_replays(&service.send(&transfer("k")).await, &first);
    assert_eq!(provider.total(), 1);
}

#[tokio::test]
async fn another_request_is_refused_another_user_is_not_and_nobody_gets_in_without_a_key_or_a_name() {
    let provider = Upstream::counting().await;
    let service = Service::start(provider.addr()).await;
    let first = service.send(&transfer("k")).await;
    let other = service.send(&transfer_of("k", 200)).await;
    assert_eq!(problem(&other), "422 key-reused");
    assert_eq!(other.json()["differs"], json!(["/amount"]));
    let luis = service.send(&by("luis", "k").json(&json!({ "to": "luis", "amount": 100 }))).await;
    assert_eq!(luis.header("idempotency-status"), Some("executed"));
    assert_ne!(luis.body, first.body);
    let unkeyed = Request::post("/transfers").header("Authorization", "Bearer ana").json(&json!({}));
    assert_eq!(problem(&service.send(&unkeyed).await), "400 key-missing");
    assert_eq!(service.send(&by("mallory", "k").json(&json!({}))).await.status, 401);
    assert_eq!(provider.total(), 2);
    // A key for each call, none of them the client's own.
    let keys = provider.keys();
    assert!(keys.len() == 2 && keys.keys().all(|key| key.len() == 36), "{keys:?}");
}

#[tokio::test]
async fn f18_a_client_that_hangs_up_finds_its_receipt() {
    let before = Gate::closed();
    let provider = Upstream::gated(&before, &Gate::opened()).await;
    let service = Service::start(provider.addr()).await;
    abandon(service.address, &transfer("half"), Point::MidBody, Close::Reset).await.unwrap();
    let mut client = Connection::open(service.address).await.unwrap();
    client.start(&transfer("k")).await.unwrap();
    before.arrived(1).await;
    client.close(Close::Reset);
    before.open();
    let answer = service.send(&transfer("k")).await;
    assert_eq!((answer.status, answer.header("idempotency-status")), (201, Some("replayed")));
    assert_eq!(provider.total(), 1);
}

/// Killed while the provider is at work: nobody can know, so the charge is not made again, and its owner can ask.
#[tokio::test]
async fn kill_9_leaves_answers_as_they_are_and_the_rest_unknown() {
    let after = Gate::closed();
    let provider = Upstream::gated(&Gate::opened(), &after).await;
    let mut service = Service::start(provider.addr()).await;
    after.admit(1);
    let first = service.send(&transfer("done")).await;
    let mut client = Connection::open(service.address).await.unwrap();
    client.start(&transfer("k")).await.unwrap();
    after.arrived(2).await;
    service.crash_and_restart().await;
    after.open();
    assert_replays(&service.send(&transfer("done")).await, &first);
    let told = service.send(&transfer("k")).await;
    assert_eq!(problem(&told), "409 outcome-unknown");
    assert_eq!(told.json()["next"], "poll");
    let url = told.json()["operation"].as_str().unwrap().to_owned();
    let ask = |user| Request::get(&url).header("Authorization", format!("Bearer {user}"));
    assert_eq!(service.send(&ask("ana")).await.json()["state"], "unknown");
    assert_eq!(service.send(&ask("luis")).await.status, 404);
    assert_eq!(provider.total(), 2);
}

/// The other half of `kill -9`: whoever looked at the provider ends it, and nobody else can.
#[tokio::test]
async fn an_operator_sees_what_is_open_and_settles_it() {
    let after = Gate::closed();
    let provider = Upstream::gated(&Gate::opened(), &after).await;
    let mut service = Service::start(provider.addr()).await;
    let mut client = Connection::open(service.address).await.unwrap();
    client.start(&transfer("k")).await.unwrap();
    after.arrived(1).await;
    service.crash_and_restart().await;
    after.open();
    let open = |user: &str| Request::get("/operators/open").header("Authorization", format!("Bearer {user}"));
    assert_eq!(service.send(&open("ana")).await.status, 401);
    let listed = service.send(&open("operator")).await.json();
    assert_eq!((&listed[0]["state"], &listed[0]["attempt"]), (&json!("unknown"), &json!(1)));
    let url = format!("/operators/open/{}", listed[0]["operation"].as_str().unwrap());
    let say = |found: &serde_json::Value| {
        Request::post(&url).header("Authorization", "Bearer operator").json(found)
    };
    let found = json!({ "attempt": 1, "applied": 201, "by": "olga", "reason": "ch_1 at the provider" });
    let missed = json!({ "attempt": 2, "applied": 201, "by": "olga", "reason": "another attempt" });
    let not_done = json!({ "attempt": 1, "by": "olga", "reason": "nothing says how long one may work" });
    for refused in [missed, not_done] {
        assert_eq!(service.send(&say(&refused)).await.status, 409, "{refused}");
    }
    assert_eq!(service.send(&say(&found)).await.status, 204);
    let repeat = service.send(&transfer("k")).await;
    assert_eq!((repeat.status, repeat.header("idempotency-settled")), (201, Some("operator")));
    assert_eq!(service.send(&open("operator")).await.json(), json!([]));
    assert_eq!(provider.total(), 1);
}

#[tokio::test]
async fn what_was_not_sent_is_free_and_runs_when_the_provider_is_back() {
    let port = Port::reserve();
    let service = Service::start(port.addr()).await;
    let refused = service.send(&transfer("k")).await;
    assert_eq!(problem(&refused), "502 upstream-unreachable");
    assert_eq!(refused.header("idempotency-status"), Some("released"));
    let told = service.process.line("the provider was not reached", onlyonce_testbed::WAIT_LIMIT).await;
    assert!(told.is_some(), "the reason is in the log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_provider"));
    command.arg(port.addr().to_string());
    let provider = Server::spawn_command(command);
    provider.ready("provider on http://").await;
    let charged = service.send(&transfer("k")).await;
    assert_eq!((charged.status, charged.header("idempotency-status")), (201, Some("executed")));
    assert_replays(&service.send(&transfer("k")).await, &charged);
    let charges = client::send(port.addr(), &Request::get("/charges")).await.unwrap().json();
    assert_eq!(charges.as_array().unwrap().len(), 1);
    assert_eq!(charged.json()["charge"], charges[0]);
}

/// B10: the client has gone, so axum waits for nobody; the charge is still under way.
#[tokio::test]
async fn a_service_that_stops_awaits_the_handlers_whose_clients_have_gone() {
    let before = Gate::closed();
    let provider = Upstream::gated(&before, &Gate::opened()).await;
    let mut service = Service::start(provider.addr()).await;
    let mut client = Connection::open(service.address).await.unwrap();
    client.start(&transfer("k")).await.unwrap();
    before.arrived(1).await;
    client.close(Close::Reset);
    service.process.sigint().unwrap();
    before.open();
    service.process.ready("stopped cut_off=0").await;
    assert!(service.process.wait().await.success());
    (service.process, service.address) = spawn(&service.directory, service.provider).await;
    assert_eq!(service.send(&transfer("k")).await.header("idempotency-status"), Some("replayed"));
    assert_eq!(provider.total(), 1);
}
