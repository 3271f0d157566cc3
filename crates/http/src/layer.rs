//! One layer on a ledger: which requests fall under which rules, whose they are, and how their attempts start.
//!
//! Small on purpose: what requests of different layers share is in [`Shared`].

use std::{fmt, sync::Arc};

use http::{Response, Uri, request::Parts};
use onlyonce_core::scope::{Principal, Scopes};

use crate::{body::Body, rules::Rules, service::Once, shared::Shared, telemetry};

/// Which rules a request falls under; `None`: it passes untouched.
pub type Select = dyn Fn(&Parts) -> Option<Arc<Rules>> + Send + Sync;
/// Who sends a request; the error says what is missing and how to mend it.
pub type Identify = dyn Fn(&Parts, &Scopes) -> Result<Principal, String> + Send + Sync;

/// Where a request was sent, by whoever has seen it before a router cut something off its path.
pub type SentTo = fn(&Parts) -> &Uri;

/// When an attempt counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// When the inner service is called.
    BeforeCall,
    /// When the inner service says so, with [`crate::Start`].
    ByService,
}

/// One layer on a ledger. Cheap to clone.
#[derive(Clone)]
pub struct Layer(Arc<Own>);

struct Own {
    shared: Arc<Shared>,
    starts: Starts,
    select: Box<Select>,
    identify: Box<Identify>,
    sent_to: SentTo,
}

impl Layer {
    /// On a ledger; `select` and `identify` are asked once for each request.
    pub fn new(shared: Arc<Shared>, starts: Starts, select: Box<Select>, identify: Box<Identify>) -> Self {
        Self::under_router(shared, starts, select, identify, |parts| &parts.uri)
    }

    /// On a ledger, within a router that may cut a prefix off a path before the layer sees it. What counts of a request,
    /// and its key where that is in the path, is read from what `sent_to` says: `/accounts/1/transfers` and
    /// `/accounts/2/transfers` are two requests also where both have become `/transfers`.
    pub fn under_router(
        shared: Arc<Shared>,
        starts: Starts,
        select: Box<Select>,
        identify: Box<Identify>,
        sent_to: SentTo,
    ) -> Self {
        Self(Arc::new(Own { shared, starts, select, identify, sent_to }))
    }

    /// What it shares with the other layers on its ledger.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// What is missing, in plain words.
    pub fn identify(&self, parts: &Parts) -> Result<Principal, String> {
        (self.0.identify)(parts, &self.0.shared.scopes)
    }

    /// Counts a request that was refused by `answer` before this layer was asked, such as one that reads two ways.
    pub fn refused_before<B>(&self, parts: &Parts, answer: &Response<Body<B>>) {
        if let Some(rules) = self.select(parts) {
            telemetry::count(self.shared(), &rules, telemetry::result(answer));
        }
    }

    pub(crate) fn select(&self, parts: &Parts) -> Option<Arc<Rules>> {
        (self.0.select)(parts)
    }

    /// Where a request was sent.
    pub(crate) fn sent_to<'a>(&self, parts: &'a Parts) -> &'a Uri {
        self.whole(parts).unwrap_or(&parts.uri)
    }

    /// Where a request came from that is no longer sent there: it was rewritten, or made of another one's extensions.
    pub(crate) fn turned_from<'a>(&self, parts: &'a Parts) -> Option<&'a Uri> {
        if self.whole(parts).is_some() { None } else { Some((self.0.sent_to)(parts)) }
    }

    /// Of what a router has cut, if it did no more than that.
    fn whole<'a>(&self, parts: &'a Parts) -> Option<&'a Uri> {
        let (original, own) = ((self.0.sent_to)(parts), &parts.uri);
        let cut = own.path() == "/" || original.path().ends_with(own.path());
        (cut && original.query() == own.query()).then_some(original)
    }

    pub(crate) fn starts(&self) -> Starts {
        self.0.starts
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Once<S>;

    fn layer(&self, inner: S) -> Once<S> {
        Once::new(inner, self.clone())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("shared", &self.0.shared).finish_non_exhaustive()
    }
}
