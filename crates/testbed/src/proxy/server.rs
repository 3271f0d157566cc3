//! The listener of the proxy, and what the test tells it.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, atomic::Ordering},
};

use tokio::{net::TcpStream, sync::watch};

use super::{
    Fault,
    relay::{Losing, Passed, relay},
};
use crate::{gate::reached, listening::Listening, socket};

/// Faults that may be waiting for their connections.
const NEXT_LIMIT: usize = 100_000;

/// A running proxy on loopback; it ends when dropped, with its connections.
#[derive(Debug)]
pub struct Proxy {
    listening: Listening,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    faults: Mutex<Faults>,
    /// Counts the calls of `cut_all`.
    cut: watch::Sender<usize>,
    connections: watch::Sender<usize>,
    passed: Passed,
    losing: Losing,
}

#[derive(Debug)]
struct Faults {
    next: VecDeque<Fault>,
    always: Fault,
}

impl Proxy {
    /// Starts a proxy on a free port in front of `target`, without a fault.
    pub async fn start(target: impl Into<SocketAddr>) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(target.into()),
            faults: Mutex::new(Faults { next: VecDeque::new(), always: Fault::none() }),
            cut: watch::Sender::new(0),
            connections: watch::Sender::new(0),
            passed: Passed::default(),
            losing: Losing::default(),
        });
        let served = Arc::clone(&shared);
        let serve = move |client| {
            let shared = Arc::clone(&served);
            async move { shared.serve(client).await }
        };
        Self { listening: Listening::start((Ipv4Addr::LOCALHOST, 0).into(), serve).await, shared }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The next connection that has no fault waiting for it yet gets this one.
    pub fn next(&self, fault: Fault) {
        let mut faults = self.shared.faults.lock().expect("no panic happens while the faults are locked");
        assert!(faults.next.len() < NEXT_LIMIT, "at most {NEXT_LIMIT} faults wait for their connections");
        faults.next.push_back(fault);
    }

    /// All connections accepted from now on get this fault, unless one of their own is waiting.
    pub fn always(&self, fault: Fault) {
        self.shared.faults.lock().expect("no panic happens while the faults are locked").always = fault;
    }

    /// Connections accepted from now on go to this server: it was started again elsewhere.
    pub fn retarget(&self, target: impl Into<SocketAddr>) {
        *self.shared.target.lock().expect("no panic happens while the target is locked") = target.into();
    }

    /// Resets all connections that are open now.
    pub fn cut_all(&self) {
        self.shared.cut.send_modify(|cut| *cut += 1);
    }

    /// From now on, and until it is told otherwise, requests arrive and answers are lost: when bytes come from the server,
    /// on whatever connection, they are dropped and the connection is reset on both sides.
    pub fn lose_answers(&self, lose: bool) {
        self.shared.losing.now.store(lose, Ordering::Release);
    }

    /// Waits until so many answers were lost since the start. Panics after [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn answers_lost(&self, n: usize) {
        reached(&self.shared.losing.lost, n, "answers lost at the proxy").await;
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Waits until it has accepted `n` connections since the start. Panics after
    /// [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn connections_arrived(&self, n: usize) {
        reached(&self.shared.connections, n, "connections at the proxy").await;
    }

    /// Bytes forwarded to the server, over all connections.
    pub fn bytes_up(&self) -> u64 {
        self.shared.passed.up.load(Ordering::Relaxed)
    }

    /// Bytes forwarded to clients, over all connections.
    pub fn bytes_down(&self) -> u64 {
        self.shared.passed.down.load(Ordering::Relaxed)
    }

    /// Ends it with all its connections; the port is free when it returns.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

impl Shared {
    async fn serve(&self, client: TcpStream) {
        let fault = self.fault();
        let cut = self.cut.subscribe();
        self.connections.send_modify(|connections| *connections += 1);
        let target = *self.target.lock().expect("no panic happens while the target is locked");
        match TcpStream::connect(target).await {
            Ok(server) => {
                // Without it a fault's partial write might wait for the next one.
                let _ = server.set_nodelay(true);
                relay(client, server, &fault, cut, &self.passed, &self.losing).await;
            }
            // The nearest to "refused" that a client already accepted can be told.
            Err(_) => socket::reset(&client),
        }
    }

    fn fault(&self) -> Fault {
        let mut faults = self.faults.lock().expect("no panic happens while the faults are locked");
        faults.next.pop_front().unwrap_or_else(|| faults.always.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Gate,
        client::{Connection, Kind, Request, send},
        effects::Upstream,
        proxy::Flow,
    };

    async fn in_front_of_a_counting_upstream() -> (Upstream, Proxy) {
        let upstream = Upstream::counting().await;
        let proxy = Proxy::start(upstream.addr()).await;
        (upstream, proxy)
    }

    #[tokio::test]
    async fn without_a_fault_all_bytes_pass() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        let request = Request::post("/").body(vec![7; 3_000_000]);
        assert_eq!(send(proxy.addr(), &request).await.unwrap().status, 201);
        assert_eq!(upstream.seen()[0].body, vec![7; 3_000_000]);
        assert_eq!(proxy.bytes_up(), request.to_bytes(proxy.addr()).len() as u64);
        assert!(proxy.bytes_down() > 0);
    }

    #[tokio::test]
    async fn a_dropped_answer_has_had_its_effect_and_only_the_next_connection_loses_it() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        proxy.next(Fault::drop_answer());
        let lost = send(proxy.addr(), &Request::post("/").key("k")).await.unwrap_err();
        assert_eq!((lost.kind(), lost.received(), upstream.executions("k")), (Kind::Closed, 0, 1));
        assert_eq!(send(proxy.addr(), &Request::post("/").key("k")).await.unwrap().status, 201);
        assert_eq!((upstream.executions("k"), proxy.connections()), (2, 2));
    }

    #[tokio::test]
    async fn a_cut_upwards_lets_exactly_the_first_bytes_through() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        let request = Request::post("/").body("0123456789");
        let length = request.to_bytes(proxy.addr()).len() as u64;
        proxy.next(Fault::cut_up(length - 1));
        assert_eq!(send(proxy.addr(), &request).await.unwrap_err().kind(), Kind::Reset);
        assert_eq!((proxy.bytes_up(), upstream.arrivals()), (length - 1, 0));
        proxy.next(Fault::cut_up(length));
        assert_eq!(send(proxy.addr(), &request).await.unwrap().status, 201, "the next byte never comes");
    }

    #[tokio::test]
    async fn a_cut_downwards_ends_the_answer_after_the_first_bytes() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        proxy.always(Fault::cut_down(20));
        let cut = send(proxy.addr(), &Request::post("/")).await.unwrap_err();
        assert_eq!((cut.kind(), cut.received(), upstream.total()), (Kind::Reset, 20, 1));
        proxy.always(Fault { down: Flow::CutAfter(20, crate::Close::Fin), ..Fault::none() });
        let cut = send(proxy.addr(), &Request::post("/")).await.unwrap_err();
        assert_eq!((cut.kind(), cut.received(), upstream.total()), (Kind::Truncated, 20, 2));
    }

    #[tokio::test]
    async fn held_and_swallowed_bytes_wait_and_vanish() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        let gate = Gate::closed();
        proxy.next(Fault::hold_up(&gate));
        proxy.next(Fault::hold_down(&gate));
        proxy.next(Fault::swallow_answer());
        for (held, executed) in [(1, 0), (2, 2)] {
            let mut connection = Connection::open(proxy.addr()).await.unwrap();
            connection.start(&Request::post("/")).await.unwrap();
            gate.arrived(held).await;
            assert_eq!(upstream.total(), executed);
            gate.admit(1);
            assert_eq!(connection.answer("POST").await.unwrap().status, 201);
        }
        let mut connection = Connection::open(proxy.addr()).await.unwrap();
        connection.start(&Request::post("/")).await.unwrap();
        upstream.executed(3).await;
        let ended = connection.ended(Duration::from_millis(50)).await;
        assert_eq!(ended.unwrap_err().kind(), Kind::TimedOut);
        proxy.cut_all();
        assert_eq!(connection.ended(crate::WAIT_LIMIT).await.unwrap(), crate::Close::Reset);
    }

    #[tokio::test]
    async fn an_answer_is_lost_on_a_connection_that_was_whole_before() {
        let (upstream, proxy) = in_front_of_a_counting_upstream().await;
        let mut connection = Connection::open(proxy.addr()).await.unwrap();
        connection.start(&Request::post("/")).await.unwrap();
        assert_eq!(connection.answer("POST").await.unwrap().status, 201);
        proxy.lose_answers(true);
        connection.start(&Request::post("/")).await.unwrap();
        assert_eq!(connection.answer("POST").await.unwrap_err().kind(), Kind::Reset);
        proxy.answers_lost(1).await;
        assert_eq!(upstream.total(), 2, "it was executed");
        proxy.lose_answers(false);
        assert_eq!(send(proxy.addr(), &Request::post("/")).await.unwrap().status, 201);
    }

    #[tokio::test]
    async fn a_delay_delays() {
        let (_upstream, proxy) = in_front_of_a_counting_upstream().await;
        let by = Duration::from_millis(60);
        for fault in [Fault::delay_up(by), Fault::delay_down(by)] {
            proxy.next(fault);
            let started = std::time::Instant::now();
            send(proxy.addr(), &Request::get("/")).await.unwrap();
            assert!(started.elapsed() >= by);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_away_resets_and_another_one_can_take_its_place() {
        let proxy = Proxy::start(crate::process::Port::reserve().addr()).await;
        assert_eq!(send(proxy.addr(), &Request::get("/")).await.unwrap_err().kind(), Kind::Reset);
        let upstream = Upstream::counting().await;
        proxy.retarget(upstream.addr());
        assert_eq!(send(proxy.addr(), &Request::get("/")).await.unwrap().status, 201);
    }
}
