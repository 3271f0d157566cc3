//! More connections than there are descriptors for.

use onlyonce_testbed::{client::Connection, effects::Upstream, process::Server};

use crate::{
    files,
    transfer::{assert_executed, transfer},
};

/// A process that runs out of descriptors reaches neither its upstream nor its ledger's next file, and the latter ends
/// it. Whoever holds connections open could do that from outside.
#[tokio::test]
async fn a_crowd_of_idle_connections_takes_no_descriptor_from_upstream_and_ledger() {
    files::allow_many();
    let upstream = Upstream::counting().await;
    let directory = tempfile::tempdir().unwrap();
    let ledger = format!("embedded:{}", directory.path().join("ledger").display());
    let limited = "ulimit -n 200 && exec \"$0\" \"$@\"";
    let program = ["-c", limited, env!("CARGO_BIN_EXE_onlyonce"), "gateway", "--listen", "127.0.0.1:0"];
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
