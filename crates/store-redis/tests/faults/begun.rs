//! A ledger on a Redis, and what every test does with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{
    Fingerprint, Owner, Policy, Record, RecordId, codec, event::Completion, fingerprint::Recipe,
};
use onlyonce_ledger::{
    Attempt, ErrorKind, Ledger, Options as LedgerOptions,
    begin::{Claimed, Leader, Look, Request, Standing},
    identity::Secret,
    store::Store,
};
use onlyonce_store_redis::{Options, RedisStore};
use onlyonce_testbed::WAIT_LIMIT;

pub(crate) const CREATED: Completion = Completion::Kept { status: 201 };
/// Long enough for a slow machine: what is tested is never that something takes this long.
const STORE_WAIT: Duration = Duration::from_secs(8);
/// Longest that a test waits for something: a few times as long.
const LIMIT: Duration = WAIT_LIMIT.saturating_mul(2);
/// How long between two looks at what a test waits for.
const LOOK: Duration = Duration::from_millis(5);

/// A gateway's ledger.
pub(crate) struct Begun {
    pub(crate) ledger: Ledger,
    pub(crate) store: Arc<RedisStore>,
    /// What start-up has said.
    pub(crate) said: Vec<String>,
}

/// Opens a ledger as one that may lose nothing.
pub(crate) async fn begin(url: &str) -> Begun {
    begin_with(options(url)).await
}

pub(crate) fn options(url: &str) -> Options {
    Options { url: url.parse().unwrap(), accept_loss: false, min_replicas: 0 }
}

pub(crate) async fn begin_with(options: Options) -> Begun {
    let (store, said) = RedisStore::open(options).await.unwrap();
    let store = Arc::new(store);
    let options = LedgerOptions { store_wait: STORE_WAIT, ..LedgerOptions::default() };
    let secret = Secret::new([7; 32]).unwrap();
    let (ledger, _) = Ledger::open(Arc::clone(&store) as Arc<dyn Store>, &secret, options).await.unwrap();
    Begun { ledger, store, said }
}

/// A request under this key.
pub(crate) fn request(key: u16) -> Request {
    let [high, low] = key.to_be_bytes();
    let mut id = [0; 16];
    // Keys that follow each other are in other shards.
    (id[0], id[1]) = (low, high);
    Request {
        id: RecordId(id),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        one_of_many: false,
        route: "POST /transfers".to_owned(),
        policy: Policy::default(),
        parameters: Bytes::from_static(b"{\"amount\":100}"),
    }
}

/// The same with such a lease.
pub(crate) fn leased(key: u16, lease: Duration) -> Request {
    let request = request(key);
    Request { policy: Policy { lease, ..request.policy }, ..request }
}

impl Begun {
    pub(crate) async fn lead(&self, request: &Request) -> Leader {
        match self.ledger.look_up(request, Duration::ZERO).await {
            Ok(Look::Free(leader)) => leader,
            other => panic!("the key is free, and not {other:?}"),
        }
    }

    pub(crate) async fn claim(&self, request: &Request) -> Attempt {
        granted(self.lead(request).await).await
    }

    /// Claims and starts.
    pub(crate) async fn run(&self, request: &Request) -> Attempt {
        let attempt = self.claim(request).await;
        attempt.start().await.unwrap();
        attempt
    }

    pub(crate) async fn replay(&self, request: &Request) -> Bytes {
        match self.ledger.look_up(request, Duration::ZERO).await {
            Ok(Look::Stands(Standing::Result { result, .. })) => result,
            other => panic!("a result is replayed, and not {other:?}"),
        }
    }

    /// State and fence: `released, fence 1`; `absent` if there is no record.
    pub(crate) async fn state(&self, request: &Request) -> String {
        self.record(request).await.map_or_else(
            || "absent".to_owned(),
            |record| format!("{}, fence {}", record.state.name().as_str(), record.fence),
        )
    }

    pub(crate) async fn record(&self, request: &Request) -> Option<Record> {
        let rows = self.store.heads(&[request.id]).await.unwrap();
        rows.into_iter().next().flatten().map(|row| codec::decode(&row).unwrap())
    }

    /// Until claims are refused for want of room. Those that are granted before are given back.
    pub(crate) async fn until_refused(&self) {
        let key = AtomicU16::new(1_000);
        until("claims are refused", async || {
            let key = key.fetch_add(1, Ordering::Relaxed);
            let claimed = self.lead(&request(key)).await.claim().await;
            matches!(claimed, Err(error) if error.kind() == ErrorKind::Capacity)
        })
        .await;
    }

    /// Until a claim of this key is granted; it is given back.
    pub(crate) async fn until_granted(&self, key: u16) {
        until("claims are granted", async || self.lead(&request(key)).await.claim().await.is_ok()).await;
    }

    /// Until the record is in this state.
    pub(crate) async fn until_state(&self, request: &Request, state: &str) {
        until(state, async || self.state(request).await == state).await;
    }
}

pub(crate) async fn granted(leader: Leader) -> Attempt {
    match leader.claim().await {
        Ok(Claimed::Attempt(attempt)) => attempt,
        other => panic!("the claim is granted, and not {other:?}"),
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let waited = async {
        while !so().await {
            // bounded: by LIMIT, below
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LIMIT, waited).await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}
