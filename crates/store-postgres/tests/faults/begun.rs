//! Ledgers on PostgreSQL, and what every test does with them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::{Fingerprint, Owner, Policy, Record, RecordId, event::Completion, fingerprint::Recipe};
use onlyonce_ledger::{
    Attempt, Ledger, Options as Bounds,
    begin::{Claimed, Leader, Look, Request, Standing},
    identity::Secret,
};
use onlyonce_store_postgres::{Options, PostgresStore};
use onlyonce_testbed::servers;

pub(crate) const CREATED: Completion = Completion::Kept { status: 201 };

/// A ledger's URL on a server, in a schema of its own.
pub(crate) fn with_schema(server: &str, schema: &str) -> String {
    let sign = if server.contains('?') { '&' } else { '?' };
    format!("{server}{sign}schema={schema}")
}

/// A schema that is there, on a server that is shared.
pub(crate) struct Place {
    pub(crate) server: String,
    pub(crate) schema: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::on(&servers::postgres().await).await
    }

    pub(crate) async fn on(server: &str) -> Self {
        let place = Self { server: server.to_owned(), schema: servers::name() };
        PostgresStore::migrate(place.options()).await.unwrap();
        place
    }

    pub(crate) fn options(&self) -> Options {
        Options { url: with_schema(&self.server, &self.schema), accept_loss: false }
    }

    /// The same schema by another way.
    pub(crate) fn through(&self, server: &str) -> Self {
        Self { server: server.to_owned(), schema: self.schema.clone() }
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap().0
    }

    /// What a process does.
    pub(crate) async fn ledger(&self) -> Ledger {
        let secret = Secret::new([7; 32]).unwrap();
        Ledger::open(Arc::new(self.store().await), &secret, Bounds::default()).await.unwrap().0
    }
}

/// The URL of a proxy before a server that lets everybody in.
pub(crate) fn at(addr: std::net::SocketAddr) -> String {
    format!("postgres://postgres@{addr}/postgres?sslmode=disable")
}

/// A request under this key.
pub(crate) fn request(key: u32) -> Request {
    with_lease(key, Policy::default().lease)
}

/// A request whose claim holds so long without being renewed.
pub(crate) fn with_lease(key: u32, lease: Duration) -> Request {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&key.wrapping_mul(0x9e37_79b1).to_be_bytes());
    id[12..].copy_from_slice(&key.to_be_bytes());
    Request {
        id: RecordId(id),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        one_of_many: false,
        route: "POST /transfers".to_owned(),
        policy: Policy { lease, settle_after: Some(Duration::from_secs(120)), ..Policy::default() },
        parameters: Bytes::from_static(b"{\"amount\":100}"),
    }
}

pub(crate) async fn lead(ledger: &Ledger, request: &Request) -> Leader {
    match ledger.look_up(request, Duration::ZERO).await {
        Ok(Look::Free(leader)) => leader,
        other => panic!("the key is free, and not {other:?}"),
    }
}

pub(crate) async fn claim(leader: Leader) -> Attempt {
    match leader.claim().await {
        Ok(Claimed::Attempt(attempt)) => attempt,
        other => panic!("the claim is granted, and not {other:?}"),
    }
}

/// Claims and starts.
pub(crate) async fn run(ledger: &Ledger, request: &Request) -> Attempt {
    let attempt = claim(lead(ledger, request).await).await;
    attempt.start().await.unwrap();
    attempt
}

pub(crate) async fn standing(ledger: &Ledger, request: &Request) -> Standing {
    match ledger.look_up(request, Duration::ZERO).await {
        Ok(Look::Stands(standing)) => standing,
        other => panic!("something stands, and not {other:?}"),
    }
}

/// The result that a repeat gets.
pub(crate) async fn replayed(ledger: &Ledger, request: &Request) -> Bytes {
    match standing(ledger, request).await {
        Standing::Result { result, .. } => result,
        other => panic!("there is a result, and not {other:?}"),
    }
}

pub(crate) async fn record(ledger: &Ledger, request: &Request) -> Record {
    ledger.record(request.id).await.unwrap().unwrap()
}
