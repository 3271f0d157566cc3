//! What a hostile upstream received.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::{Headers, wire::Head};

/// Requests kept; beyond it the upstream panics, so that no count is ever short.
const RECEIVED_LIMIT: usize = 500_000;

/// A request whose head arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub path: String,
    /// The header lines, as written.
    pub headers: Headers,
    /// The body, if it was read to its end.
    pub body: Option<Vec<u8>>,
}

/// All that was received, and the counters that tests wait on.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Received>>,
    pub(super) connections: watch::Sender<usize>,
    pub(super) heads: watch::Sender<usize>,
    pub(super) bodies: watch::Sender<usize>,
}

impl Log {
    /// Records a head; the number returned is for [`Log::body`].
    pub(super) fn head(&self, head: Head) -> usize {
        let mut requests = self.requests();
        let number = requests.len();
        assert!(number < RECEIVED_LIMIT, "a hostile upstream keeps at most {RECEIVED_LIMIT} requests");
        let (method, path) = (head.method().to_owned(), head.path().to_owned());
        requests.push(Received { method, path, headers: head.headers, body: None });
        self.heads.send_modify(|heads| *heads += 1);
        number
    }

    pub(super) fn body(&self, number: usize, body: Vec<u8>) {
        let mut requests = self.requests();
        requests.get_mut(number).expect("the number was given out by head").body = Some(body);
        self.bodies.send_modify(|bodies| *bodies += 1);
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.requests().clone()
    }

    /// Whole requests per key.
    pub(super) fn by_key(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in self.requests().iter().filter(|request| request.body.is_some()) {
            if let Some(key) = request.headers.idempotency_key() {
                *counts.entry(key).or_insert(0) += 1;
            }
        }
        counts
    }

    fn requests(&self) -> MutexGuard<'_, Vec<Received>> {
        self.requests.lock().expect("no panic happens after the requests are changed")
    }
}
