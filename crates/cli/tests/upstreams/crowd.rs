//! More connections than there are descriptors for, in and out.

use onlyonce_testbed::{
    Close, Gate,
    client::{Connection, Request},
    effects::{Answer, Upstream},
    process::Server,
};

use crate::{
    files,
    full::send_until_served,
    gateway::{Gateway, Setup},
    transfer::{all, assert_executed, assert_problem, assert_replays, begin, said, send, transfer},
};

/// So few open files that 50 connections are served, and 50 to the upstream.
const LIMITED: &str = "ulimit -n 200 && exec \"$0\" \"$@\"";

/// A process that runs out of descriptors reaches neither its upstream nor its ledger's next file, and the latter ends
/// it. Whoever holds connections open could do that from outside.
#[tokio::test]
async fn a_crowd_of_idle_connections_takes_no_descriptor_from_upstream_and_ledger() {
    files::allow_many();
    let upstream = Upstream::counting().await;
    let directory = tempfile::tempdir().unwrap();
    let ledger = format!("embedded:{}", directory.path().join("ledger").display());
    let program = ["-c", LIMITED, env!("CARGO_BIN_EXE_onlyonce"), "gateway", "--listen", "127.0.0.1:0"];
    let rest =
        ["--admin", "off", "--principal", "anonymous", "--upstream", &upstream.url(), "--ledger", &ledger];
    let gateway = Server::spawn("sh", program.into_iter().chain(rest), [("ONLYONCE_LOG", "warn")]);
    let line = gateway.ready("listening on http://").await;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    assert!(gateway.output().contains("allows 50 connections at a time"), "{}", gateway.output());

    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(Connection::open(address).await.unwrap());
    }
    for (n, connection) in crowd.iter_mut().take(50).enumerate() {
        assert_executed(&connection.send(&transfer(&format!("k-{n}"))).await.unwrap(), 201);
    }
    // Those who queue are served once there is room.
    let mut next = crowd.split_off(50);
    drop(crowd);
    assert_executed(&next[0].send(&transfer("next")).await.unwrap(), 201);
}

/// A client that hangs up leaves its attempt behind, with a socket upstream that no connection in stands for. Enough of them
/// took all descriptors: no upstream for anybody, and no next file for the ledger.
#[tokio::test]
async fn attempts_whose_clients_are_gone_take_no_descriptor_from_others() {
    const PLACES: usize = 50;
    let held = Gate::closed();
    let upstream = Upstream::start({
        let held = held.clone();
        move |arrival| {
            let held = held.clone();
            async move {
                if arrival.seen.path == "/slow" {
                    held.pass().await;
                }
                Answer::created(&arrival.execute(), &arrival.seen)
            }
        }
    })
    .await;
    let setup = Setup::anonymous().top("upstream_connect = \"200ms\"").under(["sh", "-c", LIMITED]);
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let before = send(gateway.address, &transfer("before")).await;
    assert_executed(&before, 201);

    let slow = |n: usize| {
        let mut request = transfer(&format!("slow-{n}"));
        "/slow".clone_into(&mut request.path);
        request
    };
    for n in 0..PLACES {
        let mut client = Connection::open(gateway.address).await.unwrap();
        client.start(&slow(n)).await.unwrap();
        held.arrived(n + 1).await;
        client.close(Close::Reset);
    }
    let refused = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&refused, 503, "capacity");
    assert_eq!((said(&refused), &document["next"]), (Some("released"), &"same-key".into()));
    assert!((1..=3).contains(&refused.header("retry-after").unwrap().parse::<u32>().unwrap()));
    let unkeyed = send(gateway.address, &Request::get("/")).await;
    assert_eq!((unkeyed.status, unkeyed.header("retry-after")), (503, Some("1")));
    for refused in all((PLACES..4 * PLACES).map(|n| begin(gateway.address, &slow(n))).collect()).await {
        assert_problem(&refused, 503, "capacity");
    }
    assert_eq!(upstream.arrivals(), 1 + PLACES, "nothing of them was sent");
    assert_replays(&send(gateway.address, &transfer("before")).await, &before);

    held.open();
    assert_executed(&send_until_served(gateway.address, &transfer("k")).await, 201);
    assert_eq!((upstream.executions("k"), upstream.executions("slow-0")), (1, 1));
    assert_eq!(said(&send(gateway.address, &slow(0)).await), Some("replayed"));
}
