//! The operators' listener as an operator meets it: requests into the router, over a ledger in memory.

mod bulk;
mod calls;
mod guard;
mod settle;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use bytes::Bytes;
use onlyonce_core::{
    Fingerprint, Key, LedgerKey, OperationRef, Policy, Record, State as RecordState, codec,
    event::{Completion, Unknown},
    fingerprint::Recipe,
    key::Syntax,
    record::UnknownCause,
    scope::{CarrierKind, Principal},
};
use onlyonce_http::Shared;
use onlyonce_ledger::{
    Attempt, Ledger, Meter, Options,
    begin::{self, Claimed, Look},
    identity::Secret,
    memory::MemoryStore,
};
use serde_json::{Value, json};
use tower_service::Service;

use super::{State, router};
use crate::{config::Config, principal::Identify, registry::Registry, routes::Routes};

const HOUR: Duration = Duration::from_secs(3600);

/// A gateway's admin listener without the gateway.
struct Desk {
    state: State,
    store: Arc<MemoryStore>,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The refusal's name; panics on anything but a problem document.
    fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert!(document["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{document}");
        let name = document["type"].as_str().unwrap().rsplit(':').next().unwrap();
        name.to_owned()
    }
}

fn routes(text: &str) -> Routes {
    let config = Config::parse(text, std::path::Path::new("onlyonce.toml")).unwrap();
    Routes::new(&config, &LedgerKey::new([0; 32])).unwrap()
}

impl Desk {
    async fn open(identify: Identify) -> Self {
        let store = Arc::new(MemoryStore::new());
        let secret = Secret::new(Secret::generate()).unwrap();
        let registry = Arc::new(Registry::default());
        let options = Options { meter: Meter::of(Arc::clone(&registry)), ..Options::default() };
        let (ledger, _) = Ledger::open(Arc::clone(&store) as _, &secret, options).await.unwrap();
        let shared = Shared::new(ledger, "gateway");
        let state = State {
            shared: Arc::new(shared),
            identify: Arc::new(identify),
            routes: Arc::new(routes("")),
            accepting: Arc::new(AtomicBool::new(true)),
            token: None,
            address: SocketAddr::from(([127, 0, 0, 1], 9180)),
            registry,
        };
        Self { state, store }
    }

    /// With routes like these.
    fn with_routes(mut self, text: &str) -> Self {
        self.state.routes = Arc::new(routes(text));
        self
    }

    async fn anonymous() -> Self {
        Self::open(Identify::Anonymous).await
    }

    fn router(&self) -> Router {
        router(self.state.clone())
    }

    fn ledger(&self) -> &Ledger {
        self.state.ledger()
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router().call(request).await.expect("a router does not fail");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answered {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).header("host", "127.0.0.1:9180").body(Body::empty()).unwrap()).await
    }

    async fn change(&self, method: Method, path: &str, body: &Value) -> Answered {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:9180")
            .header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answered {
        self.change(Method::POST, path, body).await
    }

    async fn settle(&self, reference: OperationRef, body: &Value) -> Answered {
        self.post(&format!("/api/v1/records/{reference}/settle"), body).await
    }

    /// Claims `key` on `route`.
    async fn claim(
        &self,
        principal: &Principal,
        key: &str,
        route: &str,
        settle_after: Option<Duration>,
    ) -> Attempt {
        let scopes = self.state.shared.scopes();
        let request = begin::Request {
            id: scopes.record_id(principal, CarrierKind::Explicit, &key_of(key)),
            recipe: Recipe::V1,
            fingerprint: Fingerprint([0; 32]),
            owner: scopes.owner(principal),
            one_of_many: true,
            route: route.to_owned(),
            policy: Policy { settle_after, ..Policy::default() },
            parameters: Bytes::new(),
        };
        match self.ledger().look_up(&request, Duration::ZERO).await.unwrap() {
            Look::Free(leader) => match leader.claim().await.unwrap() {
                Claimed::Attempt(attempt) => attempt,
                Claimed::Stands(standing) => panic!("{standing:?}"),
            },
            Look::Stands(standing) => panic!("{standing:?}"),
        }
    }

    /// An operation whose answer was lost.
    async fn unknown(&self, key: &str, route: &str, settle_after: Option<Duration>) -> OperationRef {
        let attempt = self.claim(&Principal::anonymous(), key, route, settle_after).await;
        attempt.start().await.unwrap();
        attempt
            .lose_track(Unknown {
                cause: UnknownCause::AnswerLost,
                seen_status: Some(201),
                listening: Duration::ZERO,
            })
            .await
            .unwrap();
        attempt.operation_ref()
    }

    async fn completed(&self, key: &str) -> OperationRef {
        let attempt = self.claim(&Principal::anonymous(), key, "POST /transfers", None).await;
        attempt.start().await.unwrap();
        attempt.complete(Completion::Kept { status: 201 }, Bytes::from_static(b"result")).await.unwrap();
        attempt.operation_ref()
    }

    async fn record(&self, reference: OperationRef) -> Record {
        self.ledger().operation(reference).await.unwrap().unwrap()
    }

    /// Makes an unknown look as if it had been one for `age`.
    async fn age(&self, reference: OperationRef, age: Duration) {
        let mut record = self.record(reference).await;
        let RecordState::Unknown { since, .. } = &mut record.state else { panic!("{record:?}") };
        *since = onlyonce_core::Timestamp::from_ms(since.as_ms() - u64::try_from(age.as_millis()).unwrap());
        self.store.plant(reference.record, Some(codec::encode(&record)));
    }

    async fn audit(&self) -> Vec<Value> {
        self.get("/api/v1/audit").await.json()["entries"].as_array().unwrap().clone()
    }

    fn drain(&self) {
        self.state.accepting.store(false, Ordering::Relaxed);
    }
}

fn key_of(text: &str) -> Key {
    Key::parse(text.as_bytes(), Syntax::Lenient).unwrap()
}

fn applied(fence: u32) -> Value {
    json!({ "as": "applied", "status": 201, "state": "unknown", "fence": fence, "reason": "row 8123", "by": "ana" })
}

fn not_applied(fence: u32) -> Value {
    json!({ "as": "not-applied", "state": "unknown", "fence": fence, "reason": "no row", "by": "ana" })
}
