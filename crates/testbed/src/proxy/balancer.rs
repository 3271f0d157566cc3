//! One address in front of several servers, as a balancer gives them: connections go to one after the other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{net::TcpStream, sync::watch};

use super::{
    Fault,
    relay::{Losing, Passed, relay},
};
use crate::{listening::Listening, socket};

/// A running balancer on loopback; it ends when dropped, with its connections.
#[derive(Debug)]
pub struct Balancer {
    listening: Listening,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<SocketAddr>,
    accepted: AtomicUsize,
    passed: Passed,
    /// Nobody cuts connections here, or loses answers.
    never: watch::Sender<usize>,
    losing: Losing,
}

impl Balancer {
    /// Starts one on a free port. Of servers that are away the next one is taken; if all are, the client is reset.
    ///
    /// # Panics
    /// Without a server.
    pub async fn start(servers: Vec<SocketAddr>) -> Self {
        assert!(!servers.is_empty(), "a balancer needs a server");
        let shared = Arc::new(Shared {
            servers,
            accepted: AtomicUsize::new(0),
            passed: Passed::default(),
            never: watch::Sender::new(0),
            losing: Losing::default(),
        });
        let serve = move |client| {
            let shared = Arc::clone(&shared);
            async move { shared.serve(client).await }
        };
        Self { listening: Listening::start((Ipv4Addr::LOCALHOST, 0).into(), serve).await }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }
}

impl Shared {
    async fn serve(&self, client: TcpStream) {
        let turn = self.accepted.fetch_add(1, Ordering::Relaxed) % self.servers.len();
        let in_turn = self.servers.iter().cycle().skip(turn).take(self.servers.len());
        for server in in_turn {
            if let Ok(server) = TcpStream::connect(server).await {
                // What one side wrote must not wait for more.
                let _ = server.set_nodelay(true);
                let (fault, cut) = (Fault::none(), self.never.subscribe());
                return relay(client, server, &fault, cut, &self.passed, &self.losing).await;
            }
        }
        socket::reset(&client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Kind, Request, send},
        effects::Upstream,
    };

    #[tokio::test]
    async fn connections_go_round_and_pass_over_who_is_away() {
        let (one, other) = (Upstream::counting().await, Upstream::counting().await);
        let balancer = Balancer::start(vec![one.addr(), other.addr()]).await;
        for _ in 0..4 {
            send(balancer.addr(), &Request::post("/")).await.unwrap();
        }
        assert_eq!((one.total(), other.total()), (2, 2));
        one.stop().await;
        for _ in 0..4 {
            send(balancer.addr(), &Request::post("/")).await.unwrap();
        }
        assert_eq!(other.total(), 6);
        other.stop().await;
        let nobody = send(balancer.addr(), &Request::post("/")).await.unwrap_err();
        assert_eq!(nobody.kind(), Kind::Reset);
    }
}
