//! A keyed request, a hostile upstream, and what became of the key.

use onlyonce_testbed::{
    client::{Request, Response},
    hostile::{Behaviour, End, Hostile, Piece, Plan, Reads},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

/// A gateway in front of a hostile upstream.
pub(crate) struct Scene {
    pub(crate) hostile: Hostile,
    pub(crate) gateway: Gateway,
}

impl Scene {
    pub(crate) async fn of(behaviour: Behaviour) -> Self {
        Self::with(behaviour, Setup::anonymous()).await
    }

    pub(crate) async fn with(behaviour: Behaviour, setup: Setup) -> Self {
        let hostile = Hostile::start(behaviour).await;
        let gateway = Gateway::start(&hostile.url(), setup).await;
        Self { hostile, gateway }
    }

    /// Sends it.
    pub(crate) async fn send(&self, request: &Request) -> Response {
        send(self.gateway.address, request).await
    }

    /// Sends the usual request with this key.
    pub(crate) async fn transfer(&self, key: &str) -> Response {
        self.send(&transfer(key)).await
    }

    /// The first request's answer is lost, so nobody knows; repeats are told so, and none of them gets through.
    pub(crate) async fn assert_unknown(&self, key: &str, status: u16) {
        let first = self.transfer(key).await;
        let document = assert_problem(&first, status, "outcome-unknown");
        assert_eq!((said(&first), &document["next"]), (Some("unknown"), &"poll".into()));
        for _ in 0..2 {
            let repeat = self.transfer(key).await;
            assert_problem(&repeat, 409, "outcome-unknown");
            assert_eq!(said(&repeat), Some("unknown"));
        }
        assert!(self.hostile.executions(key) <= 1, "sent {} times", self.hostile.executions(key));
    }

    /// The first request's answer is the outcome, and repeats get the same without getting through.
    pub(crate) async fn assert_kept(&self, key: &str, status: u16) -> Response {
        let first = self.transfer(key).await;
        assert_executed(&first, status);
        for _ in 0..2 {
            assert_replays(&self.transfer(key).await, &first);
        }
        assert_eq!(self.hostile.executions(key), 1);
        first
    }

    /// What the operator sees of an operation whose outcome is unknown.
    pub(crate) async fn seen_by_operator(&self, unknown: &Response) -> serde_json::Value {
        let reference = unknown.json()["operation_ref"].as_str().expect("a reference").to_owned();
        let record = self.gateway.ask(&Request::get(format!("/api/v1/records/{reference}"))).await.json();
        record["operation"].clone()
    }
}

/// Reads the whole request, writes this, ends so.
pub(crate) fn answers(text: &str, end: End) -> Behaviour {
    Behaviour::Planned(Plan { reads: Reads::Whole, writes: vec![Piece::Bytes(text.into())], end })
}
