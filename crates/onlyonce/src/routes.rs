//! The rules of a layer's requests, under the names by which operators see them.
//!
//! A name is part of what is stored: it says where an unknown operation came from, and belongs to the identity of keys
//! that are parts of a path or derived. So it is the path that the router matched and no single URL, or what the layer
//! was told.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use http::{Method, Uri, request::Parts};
use onlyonce_http::Rules;

use crate::handle::Onlyonce;

/// The rules of one path, by method.
type ByMethod = Vec<(Method, Arc<Rules>)>;

/// Rules, once for each route. Bounded by the routes of the service that have a method which may carry a key.
pub(crate) struct Routes {
    once: Onlyonce,
    rules: Rules,
    named: bool,
    known: RwLock<HashMap<Box<str>, ByMethod>>,
}

impl Routes {
    pub(crate) fn new(once: Onlyonce, rules: Rules, named: bool) -> Self {
        Self { once, rules, named, known: RwLock::default() }
    }

    /// The rules of a request; `None` where it cannot be keyed.
    pub(crate) fn of(&self, parts: &Parts) -> Option<Arc<Rules>> {
        if !self.rules.covers(&parts.method) {
            return None;
        }
        let path = matched(parts).unwrap_or_default();
        if let Some(rules) = self.known(path, &parts.method) {
            return Some(rules);
        }
        let rules = Arc::new(self.rules(&parts.method, path));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(path.into()).or_default().push((parts.method.clone(), Arc::clone(&rules)));
        Some(rules)
    }

    fn known(&self, path: &str, method: &Method) -> Option<Arc<Rules>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (_, rules) = known.get(path)?.iter().find(|(known, _)| known == method)?;
        Some(Arc::clone(rules))
    }

    fn rules(&self, method: &Method, path: &str) -> Rules {
        let name = match (self.named, path) {
            (true, _) => Arc::clone(&self.rules.name),
            (false, "") => "*".into(),
            (false, path) => format!("{method} {path}").into(),
        };
        let pattern = onlyonce_http::pattern::Pattern::parse(path).ok();
        Rules { name, pattern, operations: self.once.serves_operations(), ..self.rules.clone() }
    }
}

/// Where a request was sent: within `Router::nest`, what is nested sees a path without the prefix.
pub(crate) fn sent_to(parts: &Parts) -> &Uri {
    original(parts).unwrap_or(&parts.uri)
}

#[cfg(feature = "axum")]
fn original(parts: &Parts) -> Option<&Uri> {
    parts.extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original(_: &Parts) -> Option<&Uri> {
    None
}

/// The path of the route that a router has chosen. It is what logs may show: the path itself may hold a key.
#[cfg(feature = "axum")]
pub(crate) fn matched(parts: &Parts) -> Option<&str> {
    parts.extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn matched(_: &Parts) -> Option<&str> {
    None
}
