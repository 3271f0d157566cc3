//! The operations endpoint: what became of it, for its owner and for nobody else.

use onlyonce_testbed::{
    Gate,
    client::{Request, Response},
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, begin, send},
};

fn pay(path: &str, who: &str) -> Request {
    Request::post(path).key(path).header("x-principal", who).body("x")
}

async fn asked(gateway: &Gateway, reference: &str, who: &str) -> Response {
    let path = format!("/.well-known/idempotency/operations/{reference}");
    send(gateway.address, &Request::get(path).header("x-principal", who)).await
}

/// An upstream that answers the status that its path names, after a gate.
async fn answering(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |arrival| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Answer::new(arrival.seen.path.trim_start_matches('/').parse().expect("a path that is a status"))
        }
    })
    .await
}

#[tokio::test]
async fn the_owner_is_told_what_became_of_it() {
    let gate = Gate::closed();
    let upstream = answering(&gate).await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let first = begin(gateway.address, &pay("/201", "ana"));
    gate.arrived(1).await;
    let reference = upstream.seen()[0].operation().unwrap();
    assert_eq!(asked(&gateway, &reference, "ana").await.json()["state"], "running");
    gate.open();
    first.await.unwrap();
    for (path, state) in [("/201", "applied"), ("/402", "refused"), ("/504", "unknown"), ("/403", "released")]
    {
        send(gateway.address, &pay(path, "ana")).await;
        let seen = upstream.seen();
        let reference = seen.iter().find(|seen| seen.path == path).and_then(|seen| seen.operation()).unwrap();
        let answer = asked(&gateway, &reference, "ana").await;
        let told = answer.json();
        assert_eq!((answer.status, &told["state"], &told["attempts"]), (200, &state.into(), &1.into()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(upstream.arrivals(), 4, "asking runs nothing");
}

/// A stranger cannot tell an operation of somebody else from one that never was.
#[tokio::test]
async fn anybody_else_is_told_that_there_is_none() {
    let upstream = answering(&Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    send(gateway.address, &pay("/201", "ana")).await;
    let reference = upstream.seen()[0].operation().unwrap();
    let mut foreign = asked(&gateway, &reference, "luis").await;
    assert_problem(&foreign, 404, "not-found");
    let last = if reference.ends_with('a') { "b" } else { "a" };
    let never = format!("{}{last}", &reference[..reference.len() - 1]);
    for reference in [never.as_str(), "op_", "op_x", "..", "x/y"] {
        let absent = asked(&gateway, reference, "ana").await;
        foreign.headers = absent.headers.clone();
        assert_eq!(absent, foreign, "{reference}");
    }
    let nobody = Request::get(format!("/.well-known/idempotency/operations/{reference}"));
    assert_problem(&send(gateway.address, &nobody).await, 401, "principal-required");
    assert_eq!(upstream.arrivals(), 1);
}

#[tokio::test]
async fn an_operation_can_be_asked_for_and_nothing_else() {
    let upstream = answering(&Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    send(gateway.address, &pay("/201", "ana")).await;
    let reference = upstream.seen()[0].operation().unwrap();
    let path = format!("/.well-known/idempotency/operations/{reference}");
    for (method, status) in [("HEAD", 200), ("POST", 405), ("DELETE", 405)] {
        let request = Request::new(method, path.clone()).header("x-principal", "ana");
        let answer = send(gateway.address, &request).await;
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD"));
    }
    assert_eq!(upstream.arrivals(), 1);
}
