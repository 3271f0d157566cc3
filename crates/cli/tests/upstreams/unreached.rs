//! Nothing was sent, with proof: the key is free, and the next request with it runs.

use std::time::Duration;

use onlyonce_testbed::{
    effects::{Answer, Upstream},
    hostile::{Behaviour, Hostile},
    process::Port,
};

use crate::{
    gateway::{Gateway, Setup},
    outcome::Scene,
    transfer::{assert_executed, assert_problem, begin, said, send, transfer},
};

#[tokio::test]
async fn an_upstream_that_refuses_leaves_the_key_free() {
    let port = Port::reserve();
    let gateway = Gateway::start(&port.url(), Setup::anonymous()).await;
    for _ in 0..2 {
        let refused = send(gateway.address, &transfer("k")).await;
        let document = assert_problem(&refused, 502, "upstream-unreachable");
        assert_eq!((said(&refused), refused.header("retry-after")), (Some("released"), Some("1")));
        assert_eq!((&document["retryable"], &document["next"]), (&true.into(), &"same-key".into()));
    }
    let upstream = Upstream::start_on(port.addr(), |arrival| async move {
        Answer::created(&arrival.execute(), &arrival.seen)
    });
    let upstream = upstream.await;
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    assert_eq!(upstream.executions("k"), 1);
    assert_eq!(upstream.seen()[0].header("idempotency-attempt"), Some("3"), "no fence is given twice");
}

#[tokio::test]
async fn an_upstream_that_cannot_be_connected_to_in_time_leaves_the_key_free() {
    // Its queue of connections is full and nobody accepts, so that SYNs are dropped.
    let full = Full::new();
    let setup = Setup::anonymous().top("upstream_connect = \"200ms\"");
    let gateway = Gateway::start(&format!("http://{}", full.address), setup).await;
    let refused = send(gateway.address, &transfer("k")).await;
    assert_problem(&refused, 502, "upstream-unreachable");
    assert_eq!(said(&refused), Some("released"));
}

/// The deadline comes while the connection is still being made: nothing can be sent any more.
#[tokio::test]
async fn a_deadline_before_the_connection_stands_leaves_the_key_free() {
    let full = Full::new();
    let setup = Setup::anonymous().top("upstream_connect = \"30s\"").defaults("deadline = \"200ms\"");
    let gateway = Gateway::start(&format!("http://{}", full.address), setup).await;
    let refused = send(gateway.address, &transfer("k")).await;
    assert_problem(&refused, 502, "upstream-unreachable");
    assert_eq!(said(&refused), Some("released"));
}

/// Whether the first byte was faster than the reset decides; each request gets the class that is true of it.
#[tokio::test]
async fn an_upstream_that_resets_at_once_leaves_the_key_free_or_its_outcome_unknown() {
    let scene = Scene::of(Behaviour::ResetsAtAccept).await;
    for n in 0..20 {
        let key = format!("k-{n}");
        let connections = scene.hostile.connections();
        let first = scene.transfer(&key).await;
        let repeat = scene.transfer(&key).await;
        match said(&first) {
            Some("released") => {
                assert_problem(&first, 502, "upstream-unreachable");
                assert_eq!(repeat.status, 502);
                assert_eq!(scene.hostile.connections(), connections + 2, "the repeat runs");
            }
            _ => {
                assert_problem(&first, 502, "outcome-unknown");
                assert_problem(&repeat, 409, "outcome-unknown");
                assert_eq!(scene.hostile.connections(), connections + 1);
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_resets_before_it_reads_leaves_the_outcome_unknown() {
    let Scene { hostile, gateway } = Scene::of(Behaviour::HangsUnread).await;
    let first = begin(gateway.address, &transfer("k"));
    hostile.connections_arrived(1).await;
    // bounded: nothing tells when the request lies unread in the upstream's kernel
    tokio::time::sleep(Duration::from_millis(200)).await;
    hostile.stop().await;
    assert_problem(&first.await.unwrap(), 502, "outcome-unknown");
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
}

#[tokio::test]
async fn an_upstream_that_went_away_between_two_requests_costs_a_connection_and_no_outcome() {
    let Scene { hostile, gateway } = Scene::of(Behaviour::ClosesIdleOnCue).await;
    assert_executed(&send(gateway.address, &transfer("k-1")).await, 201);
    hostile.cue().await;
    assert_executed(&send(gateway.address, &transfer("k-2")).await, 201);
    assert_eq!((hostile.connections(), hostile.executions("k-2")), (2, 1));
    let address = hostile.addr();
    hostile.stop().await;
    let refused = send(gateway.address, &transfer("k-3")).await;
    assert_problem(&refused, 502, "upstream-unreachable");
    let again = Hostile::start_on(address, Behaviour::Answers).await;
    assert_executed(&send(gateway.address, &transfer("k-3")).await, 201);
    assert_eq!(again.executions("k-3"), 1);
}

/// A listener that never accepts, with its queue filled up.
struct Full {
    address: std::net::SocketAddr,
    _listener: rustix::fd::OwnedFd,
    _queued: Vec<rustix::fd::OwnedFd>,
}

impl Full {
    fn new() -> Self {
        use rustix::net::{
            AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
        };
        let socket = || {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
        };
        let listener = socket();
        bind(&listener, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&listener, 0).unwrap();
        let address = std::net::SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        let queued = (0..8).map(|_| {
            let one = socket();
            // In progress for as long as it lives.
            let _ = connect(&one, &address);
            one
        });
        let queued = queued.collect();
        Self { address, _listener: listener, _queued: queued }
    }
}
