//! Who sends a request, as a layer is told.
//!
//! Invariant: what is told to a client says nothing of how this service finds out who asks. What is told to its operator
//! names the likely mistake: a layer that authenticates and runs too late.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use http::request::Parts;
use onlyonce_core::scope::Principal;

use crate::routes;

/// A layer that has not been told who sends a request, and cannot be used: see [`Layer`](crate::Layer).
#[derive(Clone, Copy, Debug)]
pub struct PrincipalMissing;

/// A layer that has been told who sends a request.
#[derive(Clone)]
pub struct Identified(Arc<Identify>);

type Find = dyn Fn(&Parts) -> Option<Principal> + Send + Sync;

struct Identify {
    principal: Box<Find>,
    seen: AtomicU8,
}

/// Nobody has been identified yet, and nothing was said about that.
const NONE: u8 = 0;
/// Somebody was identified, or it was said that nobody is: there is nothing more to say.
const SAID: u8 = 1;

impl Identified {
    pub(crate) fn new(principal: impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Identify { principal: Box::new(principal), seen: AtomicU8::new(NONE) }))
    }

    /// Who sends a request, or what a client is told if nobody can say.
    pub(crate) fn identify(&self, parts: &Parts) -> Result<Principal, String> {
        let found = (self.0.principal)(parts).filter(|principal| !principal.is_empty());
        let seen = self.0.seen.swap(SAID, Ordering::Relaxed);
        let Some(principal) = found else {
            if seen == NONE {
                complain(parts);
            }
            return Err("This request does not say who sends it, so it could not be told from another's with the same \
                        key. Nothing was done. Authenticate, and send it again with the same key."
                .to_owned());
        };
        Ok(principal)
    }
}

fn complain(parts: &Parts) {
    tracing::error!(
        method = %parts.method,
        route = routes::matched(parts),
        "the first keyed request of a layer was refused with 401: `principal` found nobody, or an empty id. If the layer \
         that authenticates is inside this one, it runs after it: in axum the layer that is added last runs first, so \
         add `.layer(authenticate)` after `.route_layer(once.layer()…)`. If the request was not authenticated at all, \
         nothing is wrong. This is said once for each layer"
    );
}

impl fmt::Debug for Identified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identified")
    }
}
