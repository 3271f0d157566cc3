//! One address in front of several servers, as a balancer gives them: connections go to one after the other, or all to one
//! until it is away.

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
    shared: Arc<Shared>,
}

/// Who gets a connection first.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// The one after the last one.
    InTurn,
    /// The last one.
    Staying,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<SocketAddr>,
    choice: Choice,
    accepted: AtomicUsize,
    /// Which one took the last connection, where all go to one, and how often that was another than before.
    last: AtomicUsize,
    moves: AtomicUsize,
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
        Self::choosing(Choice::InTurn, servers).await
    }

    /// The same, and it stays with the first server until that one is away, then with the next.
    ///
    /// # Panics
    /// Without a server.
    pub async fn staying(servers: Vec<SocketAddr>) -> Self {
        Self::choosing(Choice::Staying, servers).await
    }

    async fn choosing(choice: Choice, servers: Vec<SocketAddr>) -> Self {
        assert!(!servers.is_empty(), "a balancer needs a server");
        let shared = Arc::new(Shared {
            servers,
            choice,
            accepted: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            moves: AtomicUsize::new(0),
            passed: Passed::default(),
            never: watch::Sender::new(0),
            losing: Losing::default(),
        });
        let serving = Arc::clone(&shared);
        let serve = move |client| {
            let shared = Arc::clone(&serving);
            async move { shared.serve(client).await }
        };
        Self { listening: Listening::start((Ipv4Addr::LOCALHOST, 0).into(), serve).await, shared }
    }

    /// How often one that [stays](Self::staying) has gone to another server because the one before was away.
    pub fn moves(&self) -> usize {
        self.shared.moves.load(Ordering::Relaxed)
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
        let accepted = self.accepted.fetch_add(1, Ordering::Relaxed);
        let first = match self.choice {
            Choice::InTurn => accepted % self.servers.len(),
            Choice::Staying => self.last.load(Ordering::Relaxed),
        };
        let from_it = self.servers.iter().enumerate().cycle().skip(first).take(self.servers.len());
        for (number, server) in from_it {
            if let Ok(server) = TcpStream::connect(server).await {
                self.went_to(number);
                // What one side wrote must not wait for more.
                let _ = server.set_nodelay(true);
                let (fault, cut) = (Fault::none(), self.never.subscribe());
                return relay(client, server, &fault, cut, &self.passed, &self.losing).await;
            }
        }
        socket::reset(&client);
    }

    fn went_to(&self, number: usize) {
        if matches!(self.choice, Choice::Staying) {
            let moved = self.last.swap(number, Ordering::Relaxed) != number;
            self.moves.fetch_add(usize::from(moved), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Kind, Request, send},
        effects::{Answer, Arrival, Upstream},
        process::Port,
    };

    #[tokio::test]
    async fn connections_go_round_and_pass_over_who_is_away() {
        let (one, other) = (Upstream::counting().await, Upstream::counting().await);
        let balancer = Balancer::start(vec![one.addr(), other.addr()]).await;
        for _ in 0..4 {
            send(balancer.addr(), &Request::post("/")).await.unwrap();
        }
        assert_eq!((one.total(), other.total()), (2, 2));
        assert_eq!(balancer.moves(), 0);
        one.stop().await;
        for _ in 0..4 {
            send(balancer.addr(), &Request::post("/")).await.unwrap();
        }
        assert_eq!(other.total(), 6);
        other.stop().await;
        let nobody = send(balancer.addr(), &Request::post("/")).await.unwrap_err();
        assert_eq!(nobody.kind(), Kind::Reset);
    }

    #[tokio::test]
    async fn one_that_stays_goes_on_only_when_its_server_is_away() {
        let (port, other) = (Port::reserve(), Upstream::counting().await);
        let one = Upstream::start_on(port.addr(), answers).await;
        let balancer = Balancer::staying(vec![one.addr(), other.addr()]).await;
        let sent = async || send(balancer.addr(), &Request::post("/")).await.unwrap();
        for _ in 0..2 {
            sent().await;
        }
        assert_eq!((one.arrivals(), other.total(), balancer.moves()), (2, 0, 0));
        one.stop().await;
        sent().await;
        let _one = Upstream::start_on(port.addr(), answers).await;
        sent().await;
        assert_eq!((other.total(), balancer.moves()), (2, 1));
    }

    async fn answers(_: Arrival) -> Answer {
        Answer::new(204)
    }
}
