//! A balancer that sends again what a gateway has not answered, to the next one.

use std::{net::SocketAddr, time::Duration};

use onlyonce_testbed::{
    Gate, WAIT_LIMIT,
    effects::Upstream,
    process::{Port, Server},
    servers,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{assert_problem, begin, send, transfer},
};

on_each_backend!(what_nginx_hands_on_from_a_gateway_that_was_killed_has_one_effect);

/// `proxy_next_upstream … non_idempotent` sends a POST to the second gateway when the first dies with it half done.
async fn what_nginx_hands_on_from_a_gateway_that_was_killed_has_one_effect(ledger: &Ledger) {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    let mut pair = Pair::start(&upstream, ledger.setup("lease = \"1s\"\nwait = \"10s\"")).await;
    let nginx = Nginx::start(pair.one.address, pair.other.address).await;
    let first = begin(nginx.address(), &transfer("k"));
    after.arrived(1).await;
    pair.one.process.kill9().await;
    // The second gateway knows that somebody was at it, and when his lease is over that nobody knows what became of it.
    let answer = first.await.unwrap();
    assert_problem(&answer, 409, "outcome-unknown");
    after.open();
    for at in [nginx.address(), pair.other.address] {
        assert_problem(&send(at, &transfer("k")).await, 409, "outcome-unknown");
    }
    assert_eq!((upstream.arrivals(), upstream.executions("k")), (1, 1));
    // What the dead one had not begun is the second one's.
    assert_eq!(send(nginx.address(), &transfer("another")).await.status, 201);
    assert_eq!(upstream.executions("another"), 1);
}

/// How far apart the looks are whether it listens.
const PAUSE: Duration = Duration::from_millis(10);

struct Nginx {
    port: Port,
    _server: Server,
    _directory: TempDir,
}

impl Nginx {
    /// One in front of `first`, and of `second` where that one fails.
    async fn start(first: SocketAddr, second: SocketAddr) -> Self {
        let (port, directory) = (Port::reserve(), tempfile::tempdir().unwrap());
        let listen = port.addr();
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
            events {{}}
            http {{
              access_log off;
              client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
              uwsgi_temp_path uwsgi; scgi_temp_path scgi;
              upstream gateways {{ server {first}; server {second} backup; }}
              server {{
                listen {listen};
                location / {{
                  proxy_pass http://gateways;
                  proxy_next_upstream error timeout non_idempotent;
                  proxy_set_header Host $http_host;
                }}
              }}
            }}"
        );
        std::fs::write(directory.path().join("nginx.conf"), configuration).unwrap();
        let at = directory.path().to_str().unwrap();
        const NO_ENVIRONMENT: [(&str, &str); 0] = [];
        let arguments = ["-p", at, "-c", "nginx.conf", "-e", "stderr"];
        let server = Server::spawn(servers::program("nginx"), arguments, NO_ENVIRONMENT);
        let listens = async {
            while TcpStream::connect(listen).await.is_err() {
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(PAUSE).await;
            }
        };
        assert!(timeout(WAIT_LIMIT, listens).await.is_ok(), "nginx does not listen:\n{}", server.output());
        Self { port, _server: server, _directory: directory }
    }

    fn address(&self) -> SocketAddr {
        self.port.addr()
    }
}
