//! Clients that are always busy, until the gateway dies under them.

use std::{net::SocketAddr, sync::Arc};

use onlyonce_testbed::{
    WAIT_LIMIT,
    client::{self, Error, Request, Response},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// Clients at work. More than are needed in flight, because some stand behind a request that is held.
const CLIENTS: usize = 80;
/// How many requests must be in flight when a gateway is killed.
pub(crate) const IN_FLIGHT: usize = 32;

/// The host that clients name. It is part of what a key stands for, and a gateway's port is new after each restart.
pub(crate) const HOST: &str = "bank.example";

/// Where clients get their requests, and bring what came of them.
pub(crate) trait Errands: Send + Sync + 'static {
    /// The next request to send, with its key.
    fn next(&self) -> (String, Request);
    /// What came of it.
    fn told(&self, key: &str, answer: Result<Response, Error>);
}

/// The clients of one round.
pub(crate) struct Traffic {
    clients: JoinSet<()>,
    in_flight: watch::Sender<usize>,
}

impl Traffic {
    /// Sets the clients to work at a gateway.
    pub(crate) fn start(gateway: SocketAddr, errands: &Arc<impl Errands>) -> Self {
        let in_flight = watch::Sender::new(0);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(client(gateway, Arc::clone(errands), in_flight.clone()));
        }
        Self { clients, in_flight }
    }

    /// How many requests were sent and have no whole answer.
    pub(crate) fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Waits until at least [`IN_FLIGHT`] are; `false` if that does not happen.
    pub(crate) async fn is_dense(&self) -> bool {
        let mut in_flight = self.in_flight.subscribe();
        timeout(WAIT_LIMIT, in_flight.wait_for(|count| *count >= IN_FLIGHT)).await.is_ok()
    }

    /// Waits for the last client, after the gateway was killed: what a client has read by then was acknowledged.
    pub(crate) async fn end(mut self) {
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("what a client was told is allowed");
        }
    }
}

/// Sends one request after the other, until one is not answered.
async fn client(gateway: SocketAddr, errands: Arc<impl Errands>, in_flight: watch::Sender<usize>) {
    loop {
        let (key, request) = errands.next();
        in_flight.send_modify(|count| *count += 1);
        let answer = client::send(gateway, &request).await;
        in_flight.send_modify(|count| *count -= 1);
        let dead = answer.is_err();
        errands.told(&key, answer);
        if dead {
            return;
        }
    }
}
