//! A ledger over a [`Faulty`] store, and what every test does with it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{
    Fingerprint, OperationRef, Owner, Policy, Record, RecordId,
    event::{Completion, Unknown},
    fingerprint::Recipe,
    policy::OnUnknown,
    record::UnknownCause,
};
use onlyonce_ledger::{
    Attempt, Error, Found, Ledger, Options,
    begin::{Claimed, Leader, Look, Request, Standing},
    identity::Secret,
};

use crate::faulty::Faulty;

pub(crate) const CREATED: Completion = Completion::Kept { status: 201 };
pub(crate) const LOST: Unknown =
    Unknown { cause: UnknownCause::AnswerLost, seen_status: None, listening: Duration::ZERO };
/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// A ledger that has been opened.
pub(crate) struct Begun {
    pub(crate) ledger: Ledger,
    pub(crate) store: Arc<Faulty>,
}

pub(crate) async fn begin() -> Begun {
    begin_with(Options::default()).await
}

pub(crate) async fn begin_with(options: Options) -> Begun {
    let store = Arc::<Faulty>::default();
    let (ledger, _) = open(&store, options).await;
    Begun { ledger, store }
}

/// Two processes on one store.
pub(crate) async fn begin_two() -> (Begun, Begun) {
    begin_two_with(Options::default()).await
}

/// The same, with bounds of their own.
pub(crate) async fn begin_two_with(options: Options) -> (Begun, Begun) {
    let store = Arc::<Faulty>::default();
    store.share();
    let (one, _) = open(&store, options.clone()).await;
    let (two, _) = open(&store, options).await;
    (Begun { ledger: one, store: Arc::clone(&store) }, Begun { ledger: two, store })
}

/// Opens a store, also one that was open before: what a new process does.
pub(crate) async fn open(store: &Arc<Faulty>, options: Options) -> (Ledger, Found) {
    let secret = Secret::new([7; 32]).unwrap();
    Ledger::open(store.store(), &secret, options).await.unwrap()
}

/// A request under this key.
pub(crate) fn request(key: u8) -> Request {
    Request {
        id: RecordId([key; 16]),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        one_of_many: false,
        route: "POST /transfers".to_owned(),
        policy: Policy { settle_after: Some(Duration::from_secs(120)), ..Policy::default() },
        parameters: Bytes::from_static(b"{\"amount\":100}"),
    }
}

/// The same key, another body.
pub(crate) fn other_body(key: u8) -> Request {
    Request { fingerprint: Fingerprint([2; 32]), ..request(key) }
}

/// A request whose upstream deduplicates.
pub(crate) fn rerunnable(key: u8) -> Request {
    let request = request(key);
    Request { policy: Policy { on_unknown: OnUnknown::Rerun, ..request.policy }, ..request }
}

pub(crate) fn result(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

impl Begun {
    /// Looks up without waiting for a first request.
    pub(crate) async fn look(&self, request: &Request) -> Result<Look, Error> {
        self.ledger.look_up(request, Duration::ZERO).await
    }

    /// Looks up and waits.
    pub(crate) async fn wait(&self, request: &Request) -> Result<Look, Error> {
        self.ledger.look_up(request, LONG).await
    }

    /// What stands for a request.
    pub(crate) async fn standing(&self, request: &Request) -> Standing {
        match self.look(request).await {
            Ok(Look::Stands(standing)) => standing,
            other => panic!("something stands, and not {other:?}"),
        }
    }

    pub(crate) async fn lead(&self, request: &Request) -> Leader {
        match self.look(request).await {
            Ok(Look::Free(leader)) => leader,
            other => panic!("the key is free, and not {other:?}"),
        }
    }

    pub(crate) async fn claim(&self, request: &Request) -> Attempt {
        match self.lead(request).await.claim().await {
            Ok(Claimed::Attempt(attempt)) => attempt,
            other => panic!("the claim is granted, and not {other:?}"),
        }
    }

    /// Claims and starts.
    pub(crate) async fn run(&self, request: &Request) -> Attempt {
        let attempt = self.claim(request).await;
        attempt.start().await.unwrap();
        attempt
    }

    /// Runs to the end.
    pub(crate) async fn execute(&self, request: &Request, answer: &'static str) {
        self.run(request).await.complete(CREATED, result(answer)).await.unwrap();
    }

    pub(crate) async fn record(&self, request: &Request) -> Option<Record> {
        self.ledger.record(request.id).await.unwrap()
    }

    /// State and fence: `released, fence 1`; `absent` if there is no record.
    pub(crate) async fn state(&self, request: &Request) -> String {
        self.record(request).await.map_or_else(
            || "absent".to_owned(),
            |record| format!("{}, fence {}", record.state.name().as_str(), record.fence),
        )
    }

    pub(crate) async fn reference(&self, request: &Request) -> OperationRef {
        self.record(request).await.unwrap().operation_ref(request.id)
    }

    /// Until the last attempt has ended, in the background too. Only under a paused clock.
    pub(crate) async fn over(&self) {
        for _ in 0..10_000 {
            if self.ledger.attempts() == 0 {
                return settled().await;
            }
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        panic!("an attempt never ends");
    }

    /// How many records are unknown, as the ledger counts.
    pub(crate) fn unknown(&self) -> usize {
        self.ledger.unknowns().iter().map(|(_, count)| count).sum()
    }

    /// The audit, oldest first, as `action: before -> after`.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let page = self.ledger.audit(None, 100).await.unwrap().entries;
        let line = |entry: &onlyonce_ledger::audit::Entry| {
            format!("{}: {} -> {}", entry.action, entry.before, entry.after)
        };
        page.iter().rev().map(|(_, entry)| line(entry)).collect()
    }
}

/// Lets so much time pass. Only under a paused clock.
pub(crate) async fn passes(time: Duration) {
    let nothing = std::future::pending::<()>();
    tokio::time::timeout(time, nothing).await.unwrap_err();
}

/// Until all others have got as far as they get without time passing.
pub(crate) async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// The result that a standing replays.
pub(crate) fn replayed(standing: &Standing) -> &[u8] {
    match standing {
        Standing::Result { result, .. } => result,
        other => panic!("a result is replayed, and not {other:?}"),
    }
}

/// Why a standing refuses.
pub(crate) fn refused(standing: Standing) -> onlyonce_core::Refusal {
    match standing {
        Standing::Refused { refusal, .. } => refusal,
        other => panic!("it is refused, and not {other:?}"),
    }
}
