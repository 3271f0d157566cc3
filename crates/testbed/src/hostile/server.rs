//! The server around a plan.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::sync::watch;

use super::{
    Behaviour, Received,
    conversation::{Shared, converse},
    plan::{End, Plan, Reads},
    received::Log,
};
use crate::{gate::reached, listening::Listening, process::Port};

/// A running hostile upstream on loopback; it ends when dropped.
#[derive(Debug)]
pub struct Hostile {
    place: Place,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Place {
    Listening(Listening),
    /// Bound and not listening: the kernel refuses, and nobody else can take the port.
    Reserved(Port),
}

impl Hostile {
    /// Starts an upstream of this behaviour on a free port.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_on((Ipv4Addr::LOCALHOST, 0), behaviour).await
    }

    /// The same on a given address. ([`Behaviour::Refuses`] reserves a port of its own all the same.)
    pub async fn start_on(addr: impl Into<SocketAddr>, behaviour: Behaviour) -> Self {
        match behaviour.plan() {
            None => Self { place: Place::Reserved(Port::reserve()), shared: Arc::new(shared(silent())) },
            Some(plan) => Self::carry_out(addr.into(), plan).await,
        }
    }

    /// Where it listens, or refuses.
    pub fn addr(&self) -> SocketAddr {
        match &self.place {
            Place::Listening(listening) => listening.addr(),
            Place::Reserved(port) => port.addr(),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.shared.log.connections.borrow()
    }

    /// How many request heads it has received whole.
    pub fn heads(&self) -> usize {
        *self.shared.log.heads.borrow()
    }

    /// How many requests it has received whole.
    pub fn bodies(&self) -> usize {
        *self.shared.log.bodies.borrow()
    }

    /// The requests whose heads it has received whole, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.log.all()
    }

    /// How many whole requests it has received with this `Idempotency-Key`.
    pub fn executions(&self, key: &str) -> usize {
        self.keys().get(key).copied().unwrap_or_default()
    }

    /// Whole requests per key, for all keys that it has received.
    pub fn keys(&self) -> BTreeMap<String, usize> {
        self.shared.log.by_key()
    }

    /// Waits until it has accepted `n` connections since the start. Panics after
    /// [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn connections_arrived(&self, n: usize) {
        reached(&self.shared.log.connections, n, "connections at a hostile upstream").await;
    }

    /// Waits until it has received `n` whole heads since the start. Panics after
    /// [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn heads_arrived(&self, n: usize) {
        reached(&self.shared.log.heads, n, "heads at a hostile upstream").await;
    }

    /// Waits until it has received `n` whole requests since the start. Panics after
    /// [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn bodies_arrived(&self, n: usize) {
        reached(&self.shared.log.bodies, n, "bodies at a hostile upstream").await;
    }

    /// Waits for an idle connection, tells all idle ones to act ([`Idle::OnCue`](super::Idle::OnCue)), and
    /// returns when at least one has. Panics after [`WAIT_LIMIT`](crate::WAIT_LIMIT).
    pub async fn cue(&self) {
        reached(&self.shared.idle, 1, "idle connections to cue").await;
        let acted = *self.shared.acted.borrow();
        self.shared.cue.send_modify(|cue| *cue += 1);
        reached(&self.shared.acted, acted + 1, "acts on a cue").await;
    }

    /// Ends it with all its connections; the port is free when it returns.
    pub async fn stop(self) {
        if let Place::Listening(listening) = self.place {
            listening.stop().await;
        }
    }

    async fn carry_out(addr: SocketAddr, plan: Plan) -> Self {
        let waits = matches!(plan.end, End::Idle(_));
        assert!(!waits || plan.reads == Reads::Whole, "only a request read whole can be followed by another");
        let shared = Arc::new(shared(plan));
        let served = Arc::clone(&shared);
        let serve = move |stream| {
            let shared = Arc::clone(&served);
            shared.log.connections.send_modify(|connections| *connections += 1);
            async move { converse(stream, &shared).await }
        };
        Self { place: Place::Listening(Listening::start(addr, serve).await), shared }
    }
}

fn shared(plan: Plan) -> Shared {
    let counter = || watch::Sender::new(0);
    Shared { plan, log: Log::default(), cue: counter(), acted: counter(), idle: counter() }
}

fn silent() -> Plan {
    Plan { reads: Reads::Nothing, writes: Vec::new(), end: End::Hold }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Close,
        client::{Connection, Error, Kind, Request, Response, send},
        hostile::{BODY, Coding, HUNDRED_MB, IDLE_CLOSE, Idle, Piece},
    };

    /// What a client sees of a behaviour, and the upstream's (connections, heads, bodies).
    async fn meet(behaviour: Behaviour) -> (Result<Response, Error>, [usize; 3]) {
        let hostile = Hostile::start(behaviour).await;
        let answer = send(hostile.addr(), &request()).await;
        (answer, [hostile.connections(), hostile.heads(), hostile.bodies()])
    }

    fn request() -> Request {
        Request::post("/t").key("k").body("hello").limit(Duration::from_millis(500))
    }

    #[tokio::test]
    async fn each_broken_answer_breaks_as_its_name_says() {
        use Behaviour as B;
        for (behaviour, kind, some_bytes, counts) in [
            (B::Refuses, Kind::Refused, false, [0, 0, 0]),
            (B::Hangs, Kind::TimedOut, false, [1, 1, 1]),
            (B::HangsUnread, Kind::TimedOut, false, [1, 0, 0]),
            (B::ResetsAtAccept, Kind::Reset, false, [1, 0, 0]),
            (B::ResetsUnanswered, Kind::Reset, false, [1, 1, 1]),
            (B::ClosesUnanswered, Kind::Closed, false, [1, 1, 1]),
            (B::ResetsMidHead, Kind::Reset, true, [1, 1, 1]),
            (B::ClosesMidHead, Kind::Truncated, true, [1, 1, 1]),
            (B::ResetsMidBody, Kind::Reset, true, [1, 1, 1]),
            (B::ClosesMidBody, Kind::Truncated, true, [1, 1, 1]),
            (B::ClosesMidChunks, Kind::Truncated, true, [1, 1, 1]),
            (B::AnswersGarbage, Kind::Malformed, true, [1, 1, 1]),
            (B::FramesTwice, Kind::Malformed, true, [1, 1, 1]),
        ] {
            let name = format!("{behaviour:?}");
            let (answer, counted) = meet(behaviour).await;
            let error = answer.expect_err(&name);
            assert_eq!((error.kind(), error.received() > 0, counted), (kind, some_bytes, counts), "{name}");
        }
    }

    #[tokio::test]
    async fn each_odd_answer_is_still_an_answer() {
        use Behaviour as B;
        for behaviour in [B::Answers, B::EndsByClosing, B::AnswersSlowly, B::HintsFirst, B::SendsTrailers] {
            let name = format!("{behaviour:?}");
            let (answer, counted) = meet(behaviour).await;
            let answer = answer.expect(&name);
            assert_eq!((answer.status, &*answer.body, counted), (201, BODY, [1, 1, 1]), "{name}");
            assert_eq!(answer.interim.len(), usize::from(name == "HintsFirst"));
            assert_eq!(answer.trailers.get("digest").is_some(), name == "SendsTrailers");
        }
        let (switched, _) = meet(B::SwitchesProtocols).await;
        assert_eq!(switched.unwrap().status, 101);
    }

    #[tokio::test]
    async fn an_early_answer_comes_before_the_body_and_ends_the_connection() {
        for (behaviour, close) in
            [(Behaviour::AnswersEarly, Close::Fin), (Behaviour::AnswersEarlyAndResets, Close::Reset)]
        {
            let hostile = Hostile::start(behaviour).await;
            let mut connection = Connection::open(hostile.addr()).await.unwrap();
            connection.write(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").await.unwrap();
            assert_eq!(connection.answer("POST").await.unwrap().status, 201);
            if close == Close::Fin {
                // The body comes all the same, and must not be met by RST, neither its first part nor its last.
                connection.write(b"he").await.unwrap();
                send(Hostile::start(Behaviour::Answers).await.addr(), &request()).await.unwrap();
                connection.write(b"llo").await.unwrap();
            }
            assert_eq!(connection.ended(Duration::from_secs(5)).await.unwrap(), close);
            assert_eq!((hostile.heads(), hostile.bodies()), (1, 0));
        }
    }

    #[tokio::test]
    async fn a_large_answer_is_large() {
        for coding in [Coding::Length, Coding::Chunked] {
            let hostile = Hostile::start(Behaviour::AnswersLarge(coding)).await;
            let answer = send(hostile.addr(), &Request::post("/")).await.unwrap();
            assert_eq!(answer.body.len() as u64, HUNDRED_MB, "{coding:?}");
        }
    }

    #[tokio::test]
    async fn surplus_and_unsolicited_bytes_follow_a_correct_answer() {
        let hostile = Hostile::start(Behaviour::AnswersWithSurplus).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        assert_eq!(connection.send(&request()).await.unwrap().body, BODY);
        assert_eq!(connection.surplus(), b"surplus");

        let hostile = Hostile::start(Behaviour::SpeaksWhileIdle).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        assert_eq!(connection.send(&request()).await.unwrap().status, 201);
        assert_eq!(connection.send(&request()).await.unwrap().status, 201, "uncued it is harmless");
        assert_eq!(connection.surplus(), b"");
        hostile.cue().await;
        assert_eq!(connection.answer("POST").await.unwrap().body, BODY, "an answer to nothing");
        assert_eq!(hostile.executions("k"), 2);
    }

    #[tokio::test]
    async fn idle_connections_close_when_cued_or_after_their_time() {
        let hostile = Hostile::start(Behaviour::ClosesIdleOnCue).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        connection.send(&request()).await.unwrap();
        hostile.cue().await;
        assert_eq!(connection.send(&request()).await.unwrap_err().received(), 0);
        assert_eq!(hostile.executions("k"), 1);

        let range = Duration::from_millis(20)..=Duration::from_millis(40);
        let Some(Plan { reads, writes, end }) = Behaviour::ClosesIdle.plan() else { panic!("it has a plan") };
        assert!(matches!(end, End::Idle(Idle::CloseAfter(named)) if named == IDLE_CLOSE));
        let plan = Plan { reads, writes, end: End::Idle(Idle::CloseAfter(range.clone())) };
        let hostile = Hostile::start(Behaviour::Planned(plan)).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        connection.send(&request()).await.unwrap();
        let answered = std::time::Instant::now();
        assert_eq!(connection.ended(Duration::from_secs(5)).await.unwrap(), Close::Fin);
        assert!(answered.elapsed() >= *range.start() / 2, "it does not close at once");
    }

    #[tokio::test]
    async fn heads_and_bodies_are_recorded_apart_and_as_they_came() {
        let hostile = Hostile::start(Behaviour::Answers).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        connection.write(b"POST /a?b HTTP/1.1\r\nIdempotency-Key: \"k\"\r\n").await.unwrap();
        connection.write(b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
        hostile.heads_arrived(1).await;
        assert_eq!((hostile.bodies(), hostile.executions("k")), (0, 0));
        connection.write(b"0\r\n\r\n").await.unwrap();
        assert_eq!(connection.answer("POST").await.unwrap().status, 201);
        let received = hostile.received();
        assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/a?b"));
        assert_eq!(received[0].body.as_deref(), Some(&b"hi"[..]));
        assert_eq!(received[0].headers.get("Idempotency-Key"), Some("\"k\""));
        assert_eq!(hostile.keys().into_iter().collect::<Vec<_>>(), [("k".to_owned(), 1)]);
    }

    #[tokio::test]
    async fn a_plan_does_what_it_says() {
        let writes = vec![Piece::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())];
        let plan = Plan { reads: Reads::Whole, writes, end: End::Close(Close::Reset) };
        let (answer, counted) = meet(Behaviour::Planned(plan)).await;
        assert_eq!((answer.unwrap().status, counted), (204, [1, 1, 1]));
    }
}
