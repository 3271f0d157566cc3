//! The server around the counts.

use std::{
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Answer, Arrival, Effects, Seen};
use crate::{Gate, listening::Listening};

/// The largest request body read.
const BODY_LIMIT: usize = 512 << 20;

/// A running upstream on loopback; it ends when dropped. Its counts are reached through it ([`Effects`]) and
/// outlive it as a clone of them.
#[derive(Debug)]
pub struct Upstream {
    listening: Listening,
    effects: Effects,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Starts an upstream on a free port that answers what `answer` answers.
    pub async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Arrival) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::start_on((Ipv4Addr::LOCALHOST, 0), answer).await
    }

    /// The same on a given address, for example that of a [`Port`](crate::process::Port).
    pub async fn start_on<F, Fut>(addr: impl Into<SocketAddr>, answer: F) -> Self
    where
        F: Fn(Arrival) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let (effects, connections) = (Effects::default(), Arc::new(AtomicUsize::new(0)));
        let (answer, counted, accepted) = (Arc::new(answer), effects.clone(), Arc::clone(&connections));
        let serve = move |stream| {
            let connection = accepted.fetch_add(1, Ordering::Relaxed);
            serve(stream, Arc::clone(&answer), counted.clone(), connection)
        };
        Self { listening: Listening::start(addr.into(), serve).await, effects, connections }
    }

    /// Executes every request and answers [`Answer::created`].
    pub async fn counting() -> Self {
        Self::gated(&Gate::opened(), &Gate::opened()).await
    }

    /// Holds every request at `before`, executes it, holds it at `after`, answers [`Answer::created`].
    pub async fn gated(before: &Gate, after: &Gate) -> Self {
        let (before, after) = (before.clone(), after.clone());
        Self::start(move |arrival| {
            let (before, after) = (before.clone(), after.clone());
            async move {
                before.pass().await;
                let effect = arrival.execute();
                after.pass().await;
                Answer::created(&effect, &arrival.seen)
            }
        })
        .await
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends it with all its connections; the port is free when it returns. Requests being worked on run on.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

impl Deref for Upstream {
    type Target = Effects;

    fn deref(&self) -> &Effects {
        &self.effects
    }
}

async fn serve<F, Fut>(stream: TcpStream, answer: Arc<F>, effects: Effects, connection: usize)
where
    F: Fn(Arrival) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(|request| {
        let (answer, effects) = (Arc::clone(&answer), effects.clone());
        async move { Ok::<_, Infallible>(respond(request, &*answer, effects, connection).await) }
    });
    // An error is a connection that the peer broke off; whether its request was seen is in the counts.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond<F, Fut>(
    request: Request<Incoming>,
    answer: &F,
    effects: Effects,
    connection: usize,
) -> Response<Full<Bytes>>
where
    F: Fn(Arrival) -> Fut,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Answer::new(400).body("the request body did not arrive whole").into_response();
    };
    let seen = effects.see(Seen::new(&parts, &body.to_bytes(), connection));
    // A task of its own: hyper drops this future when the peer goes away, and an effect must not be.
    let working = tokio::spawn(answer(Arrival::new(seen, effects)));
    match working.await {
        Ok(answer) => answer.into_response(),
        Err(failed) => Answer::new(500).body(format!("the test's answer failed: {failed}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Close,
        client::{Connection, Request, send},
    };

    #[tokio::test]
    async fn every_execution_is_counted_under_key_and_operation_and_answers_differently() {
        let upstream = Upstream::counting().await;
        let request = Request::post("/t?x=1").header("idempotency-operation", "op_1").body("hi");
        let first = send(upstream.addr(), &request.clone().key("k")).await.unwrap();
        let second = send(upstream.addr(), &request.clone().key("\"k\"")).await.unwrap();
        let unkeyed = send(upstream.addr(), &request).await.unwrap();
        assert_eq!((first.status, second.status, unkeyed.status), (201, 201, 201));
        assert_ne!(first.body, second.body);
        assert_eq!((upstream.executions("k"), upstream.executions("other")), (2, 0));
        assert_eq!((upstream.executions_of("op_1"), upstream.total()), (3, 3));
        assert_eq!(upstream.ids("k"), [first.json()["effect"].clone(), second.json()["effect"].clone()]);
        assert_eq!(upstream.keys().into_iter().collect::<Vec<_>>(), [("k".to_owned(), 2)]);
    }

    #[tokio::test]
    async fn requests_are_seen_as_they_came() {
        let upstream =
            Upstream::start(|arrival| async move { Answer::new(200).body(&*arrival.seen.body) }).await;
        let mut connection = Connection::open(upstream.addr()).await.unwrap();
        let request = Request::new("PATCH", "/a%2Fb?c=d").header("X-A", "1").header("x-a", "2").key("k");
        let echoed = connection.send(&request.body("hi")).await.unwrap();
        connection.send(&Request::get("/")).await.unwrap();
        send(upstream.addr(), &Request::get("/")).await.unwrap();
        let seen = upstream.seen();
        assert_eq!((echoed.text().as_str(), seen[0].body.as_slice()), ("hi", b"hi".as_slice()));
        assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("PATCH", "/a%2Fb?c=d"));
        assert_eq!(seen[0].headers.all("x-a"), ["1", "2"]);
        assert_eq!(
            seen.iter().map(|s| (s.order, s.connection)).collect::<Vec<_>>(),
            [(0, 0), (1, 0), (2, 1)]
        );
        assert_eq!((upstream.total(), upstream.connections(), upstream.seen_with("k").len()), (0, 2, 1));
    }

    #[tokio::test]
    async fn a_gated_request_is_held_before_and_after_its_effect() {
        let (before, after) = (Gate::closed(), Gate::closed());
        let upstream = Upstream::gated(&before, &after).await;
        let mut connection = Connection::open(upstream.addr()).await.unwrap();
        connection.start(&Request::post("/").key("k")).await.unwrap();
        before.arrived(1).await;
        assert_eq!((upstream.arrivals(), upstream.total()), (1, 0));
        before.open();
        after.arrived(1).await;
        assert_eq!((upstream.total(), connection.surplus()), (1, &b""[..]));
        after.open();
        assert_eq!(connection.answer("POST").await.unwrap().status, 201);
    }

    #[tokio::test]
    async fn an_effect_is_done_though_its_client_went_away() {
        let before = Gate::closed();
        let upstream = Upstream::gated(&before, &Gate::opened()).await;
        let mut connection = Connection::open(upstream.addr()).await.unwrap();
        connection.start(&Request::post("/").key("k")).await.unwrap();
        before.arrived(1).await;
        connection.close(Close::Reset);
        // A round trip elsewhere, in which the server's task meets the reset.
        send(Upstream::counting().await.addr(), &Request::get("/")).await.unwrap();
        before.open();
        upstream.executed(1).await;
    }

    #[tokio::test]
    async fn a_stopped_upstream_leaves_its_port_and_can_come_back() {
        let upstream = Upstream::counting().await;
        let addr = upstream.addr();
        upstream.stop().await;
        let refused = send(addr, &Request::get("/")).await.unwrap_err();
        assert_eq!(refused.kind(), crate::client::Kind::Refused);
        let again = Upstream::start_on(addr, |_| async { Answer::new(204) }).await;
        assert_eq!(send(again.addr(), &Request::get("/")).await.unwrap().status, 204);
    }
}
