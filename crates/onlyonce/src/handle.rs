//! The handle on a ledger that a service opens once.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::request::Parts;
use onlyonce_backends::Error;
use onlyonce_core::scope::Principal;
use onlyonce_http::Shared;
use onlyonce_ledger::Ledger;

use crate::{
    drain::Drained, identified::PrincipalMissing, layer::Layer, opening::Opening, operations::Operations,
};

/// An open ledger, and all layers on it. Cheap to clone; open it once per process.
///
/// Dropped without [`drain`](Self::drain), it loses nothing that is on record. Handlers that outlived their clients end
/// with the runtime, and their operations are unknown when the ledger is opened again.
#[derive(Clone)]
pub struct Onlyonce(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    serves_operations: AtomicBool,
}

impl Onlyonce {
    /// Opens the ledger at a URL: `embedded:PATH` (durable, one process) or `memory:` (forgotten with the process, for
    /// trials). [`at`](Self::at) has more to choose, such as the secret that a shared one needs (`postgres://…`, `redis://…`,
    /// `redis-cluster://…`; features `postgres` and `redis`).
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::at(url).open().await
    }

    /// Chooses how the ledger at a URL is opened.
    pub fn at(url: &str) -> Opening {
        Opening::new(url)
    }

    /// On a ledger that was opened elsewhere.
    pub fn on(ledger: Ledger, namespace: &str) -> Self {
        if !ledger.capabilities().durable {
            tracing::warn!("the ledger is in memory: everything is forgotten when this process ends");
        }
        let shared = Arc::new(Shared::new(ledger, namespace));
        Self(Arc::new(Handle { shared, serves_operations: AtomicBool::new(false) }))
    }

    /// A new layer on this ledger, with the contract's defaults: a key is optional on POST and PATCH. It needs to be
    /// told who sends a request before it can be used; see [`Layer`]. Layers with different settings may stand on one
    /// ledger: a principal's key means one operation in all of them.
    pub fn layer(&self) -> Layer<PrincipalMissing> {
        Layer::new(self.clone())
    }

    /// The service that tells the owner of an operation what became of it, for
    /// [`OPERATIONS_ROUTE`](crate::OPERATIONS_ROUTE). `principal` is that of the layers. Answers name the endpoint from
    /// this call on, so make it before the first request, and mount it at the root.
    pub fn operations(
        &self,
        principal: impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static,
    ) -> Operations {
        self.0.serves_operations.store(true, Ordering::Relaxed);
        Operations::new(Arc::clone(&self.0.shared), principal)
    }

    /// Waits until no attempt is left, up to `limit`. What has not started by then is released; the rest is unknown, and
    /// [`Drained`] says how many. It takes a few seconds more than `limit` at most.
    ///
    /// For when no new requests come: after `axum::serve(…).with_graceful_shutdown(…)`, which does not know the
    /// handlers whose clients have gone. Dropped half way, it may be called again.
    pub async fn drain(&self, limit: Duration) -> Drained {
        let drained = Drained::from(self.0.shared.drain(limit, || false).await);
        if drained.cut_off > 0 {
            tracing::warn!(
                cut_off = drained.cut_off,
                "handlers ran beyond the drain limit; their outcome is unknown"
            );
        }
        drained
    }

    /// Resolves when the ledger has failed for good, of a full or broken disk: then every keyed request is refused until
    /// the process is started again.
    pub async fn poisoned(&self) {
        self.0.shared.ledger().poisoned().await;
    }

    /// The ledger itself, to list what is open.
    pub fn ledger(&self) -> &Ledger {
        self.0.shared.ledger()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn serves_operations(&self) -> bool {
        self.0.serves_operations.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Onlyonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onlyonce").field("ledger", self.ledger()).finish_non_exhaustive()
    }
}
