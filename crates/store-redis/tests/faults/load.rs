//! Requests without end, and the count of what they did.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_ledger::{
    Ledger,
    begin::{Claimed, Look, Standing},
};
use onlyonce_testbed::WAIT_LIMIT;
use tokio::task::JoinHandle;

use crate::begun::{Begun, CREATED, request};

/// How long a client waits before it sends again.
const AGAIN: Duration = Duration::from_millis(10);

/// Clients that each send one key after the other, every key until it has an answer.
pub(crate) struct Load {
    counts: Arc<Counts>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
pub(crate) struct Counts {
    next: AtomicU16,
    ended: AtomicBool,
    effects: Mutex<BTreeMap<u16, usize>>,
    answers: Mutex<BTreeMap<u16, Bytes>>,
    /// Answers of 503.
    pub(crate) refused: AtomicUsize,
}

impl Load {
    /// Begins, with so many clients at each of these gateways.
    pub(crate) fn start(gateways: &[&Begun], clients: usize) -> Self {
        let counts = Arc::<Counts>::default();
        let run = |ledger: Ledger| tokio::spawn(run(ledger, Arc::clone(&counts)));
        let clients =
            gateways.iter().flat_map(|begun| (0..clients).map(|_| run(begun.ledger.clone()))).collect();
        Self { counts, clients }
    }

    /// How many keys have an answer.
    pub(crate) fn answered(&self) -> usize {
        self.counts.answers.lock().unwrap().len()
    }

    /// Waits for so many more.
    pub(crate) async fn more(&self, count: usize) {
        let wanted = self.answered() + count;
        crate::begun::until("more are answered", async || self.answered() >= wanted).await;
    }

    /// Lets the clients end what they have begun.
    pub(crate) async fn end(self) -> Arc<Counts> {
        self.counts.ended.store(true, Ordering::Relaxed);
        for client in self.clients {
            tokio::time::timeout(WAIT_LIMIT, client).await.expect("every client comes to an end").unwrap();
        }
        self.counts
    }
}

impl Counts {
    /// Nothing ran twice, and every answer stands as it was given, for whoever looks from there.
    pub(crate) async fn hold_at(&self, begun: &Begun) {
        let twice: Vec<_> = self.effects().into_iter().filter(|(_, effects)| *effects != 1).collect();
        assert_eq!(twice, [], "keys that did not run exactly once");
        let answers = self.answers.lock().unwrap().clone();
        for (key, answer) in answers {
            assert_eq!(begun.replay(&request(key)).await, answer, "key {key}");
        }
    }

    pub(crate) fn effects(&self) -> BTreeMap<u16, usize> {
        self.effects.lock().unwrap().clone()
    }
}

async fn run(ledger: Ledger, counts: Arc<Counts>) {
    while !counts.ended.load(Ordering::Relaxed) {
        let key = counts.next.fetch_add(1, Ordering::Relaxed);
        loop {
            if let Some(answer) = send(&ledger, key, &counts).await {
                counts.answers.lock().unwrap().insert(key, answer);
                break;
            }
            counts.refused.fetch_add(1, Ordering::Relaxed);
            // bounded: by how long the fault lasts, and in all by WAIT_LIMIT
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// One request; what it was answered, if the ledger could say.
async fn send(ledger: &Ledger, key: u16, counts: &Counts) -> Option<Bytes> {
    let leader = match ledger.look_up(&request(key), Duration::ZERO).await {
        Ok(Look::Free(leader)) => leader,
        Ok(Look::Stands(Standing::Result { result, .. })) => return Some(result),
        Ok(Look::Stands(_)) | Err(_) => return None,
    };
    let Ok(Claimed::Attempt(attempt)) = leader.claim().await else { return None };
    attempt.start().await.ok()?;
    *counts.effects.lock().unwrap().entry(key).or_default() += 1;
    let answer = Bytes::from(format!("paid {key}"));
    attempt.complete(CREATED, answer.clone()).await.ok().map(|_| answer)
}
