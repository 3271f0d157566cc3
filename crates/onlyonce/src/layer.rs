//! A layer: what a group of routes asks of its keyed requests.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, Method, StatusCode, request::Parts};
use onlyonce_core::{
    carrier::Carrier,
    json::Pointer,
    key::Syntax,
    outcome::{Frees, Outcome},
    parameters::Redaction,
    policy::OnUnknown,
    scope::Principal,
};
use onlyonce_http::{
    Carriers, Once, Rules,
    layer::Starts,
    rules::{AfterRestore, Conflict, Late, Mode, Requirement, Unkept},
};

use crate::{
    handle::Onlyonce,
    identified::{Identified, PrincipalMissing},
    routes::{self, Routes},
};

/// A service that has the whole body says by it that a handler ran too long, as `TimeoutLayer` of tower-http does.
const TIMED_OUT: u16 = StatusCode::REQUEST_TIMEOUT.as_u16();

/// Makes a service act once per key: a [`tower::Layer`](tower_layer::Layer) for `Router::layer`,
/// `Router::route_layer`, a `ServiceBuilder`, or a service under plain hyper.
///
/// [`Onlyonce::layer`] begins it with the contract's defaults. It has to be told who sends a request, by
/// [`principal`](Self::principal) or [`anonymous`](Self::anonymous): without, it is no layer and does not compile, for
/// results are replayed to whoever has key and principal.
///
/// ```compile_fail,E0277
/// # async fn f(once: onlyonce::Onlyonce) {
/// let app: axum::Router = axum::Router::new().layer(once.layer().require_key());
/// # }
/// ```
///
/// What passes the layer is read whole and handed on as a [`RequestBody`](crate::service::RequestBody), which axum's
/// routers and handlers take like any other. A service within that takes one type of body alone needs a
/// `map_request_body` in between. It may fail with any error: of a keyed request, that is an unknown outcome, and of
/// another one it is passed on. A handler runs to its end also when its client goes away.
///
/// # Panics
/// When it is applied to a service, if its settings cannot be kept: each method says what its own may be, and with which
/// other it is compared. The text names the setting and what to write ([`Rules::check`](onlyonce_http::Rules::check)).
#[derive(Clone)]
pub struct Layer<P = Identified> {
    once: Onlyonce,
    rules: Rules,
    named: bool,
    /// Whether it was said how long keys are remembered.
    retained: bool,
    hidden: Vec<String>,
    principal: P,
}

impl Layer<PrincipalMissing> {
    pub(crate) fn new(once: Onlyonce) -> Self {
        let rules = Rules::new("*", Redaction::new(once.ledger().key(), &Vec::<String>::new()));
        Self { once, rules, named: false, retained: false, hidden: Vec::new(), principal: PrincipalMissing }
    }

    /// Who sends a request: usually what a layer further out has verified and left in its extensions. One principal's key
    /// is unrelated to another's. `None`, or an empty id, is answered with 401.
    pub fn principal(self, of: impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static) -> Layer {
        let Self { once, rules, named, retained, hidden, .. } = self;
        Layer { once, rules, named, retained, hidden, principal: Identified::new(of) }
    }

    /// Everybody is the same: whoever knows a key gets its result, and a conflict shows no parameters. For services
    /// without users, or whose keys are secrets.
    pub fn anonymous(self) -> Layer {
        self.principal(|_| Some(Principal::anonymous()))
    }
}

impl<P> Layer<P> {
    /// Without a key: 400 `key-missing`.
    #[must_use]
    pub fn require_key(mut self) -> Self {
        self.rules.requirement = Requirement::Required;
        self
    }

    /// Without a key a request passes as if there were no layer. The default.
    #[must_use]
    pub fn optional_key(mut self) -> Self {
        self.rules.requirement = Requirement::Optional;
        self
    }

    /// What operators see as the route of its operations, instead of the method and the path that axum has matched
    /// (elsewhere `*`). Part of the identity of keys that are in a path or derived: do not change it under them.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.rules.name = name.into();
        self.named = true;
        self
    }

    /// The methods that may carry a key; POST and PATCH if nothing is said. GET, HEAD and OPTIONS never do.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.rules.methods = methods.into_iter().collect();
        self
    }

    /// What a key may come by, in this order; the header `Idempotency-Key` if nothing is said. An explicit key goes before
    /// a derived one.
    ///
    /// # Panics
    /// If the list is empty, or has an entry twice.
    #[must_use]
    pub fn carriers(mut self, carriers: impl IntoIterator<Item = Carrier>) -> Self {
        match Carriers::new(carriers) {
            Ok(carriers) => self.rules.carriers = carriers,
            Err(why) => panic!("the list of carriers {why}"),
        }
        self
    }

    /// Takes quoted keys only, as RFC 9651 writes strings.
    #[must_use]
    pub fn strict_syntax(mut self) -> Self {
        self.rules.syntax = Syntax::Strict;
        self
    }

    /// How long a repeat waits for the first; 5 s.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.rules.wait = wait;
        self
    }

    /// How long a claim holds without being renewed, 100 ms or more; 60 s. It is renewed while the handler runs.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.rules.policy.lease = lease;
        self
    }

    /// How long a handler may take before its operation is called unknown, and its caller told 504; 60 s. The handler is
    /// left running for as long again, or `settle_after`, and an answer by then is recorded; then it is dropped.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.rules.policy.deadline = deadline;
        self
    }

    /// How long results are replayed, counted from the outcome; 24 h.
    #[must_use]
    pub fn retain_result(mut self, time: Duration) -> Self {
        self.rules.policy.retain_result = time;
        self
    }

    /// How long keys are remembered, counted from the outcome, at least as long as results and as the deadline; 7 days.
    /// After it a repeat is a new operation. Derived keys need it said.
    #[must_use]
    pub fn retain_key(mut self, time: Duration) -> Self {
        self.rules.policy.retain_key = time;
        self.retained = true;
        self
    }

    /// Refuses keys that tell their birth (UUIDv7) and were born longer ago than keys are remembered, instead of taking
    /// them for new.
    #[must_use]
    pub fn refuse_late(mut self) -> Self {
        self.rules.late = Late::RefuseDated;
        self
    }

    /// What a key means that does not tell its birth, once nothing is on record for it in a ledger that was restored to an earlier
    /// state (`onlyonce ledger restored`): it may have been used before. Not said, it is refused where a key is needed, for as
    /// long as keys are remembered, and new elsewhere. A key that tells its birth is judged by that.
    #[must_use]
    pub fn after_restore(mut self, after: AfterRestore) -> Self {
        self.rules.after_restore = Some(after);
        self
    }

    /// Promises that the handler bears being run again while an earlier attempt is unknown, or even still running:
    /// because it writes under a unique column with [`reference`](crate::Operation::reference), or because whatever it
    /// calls deduplicates on [`downstream_key`](crate::Operation::downstream_key). Then a repeat runs again once
    /// `settle_after` has passed, which is longer than zero: the longest that an attempt may go on working after its caller
    /// is gone.
    #[must_use]
    pub fn rerun(mut self, settle_after: Duration) -> Self {
        self.rules.policy.on_unknown = OnUnknown::Rerun;
        self.settle_after(settle_after)
    }

    /// The longest that an attempt may go on working after its caller is gone. Before it has passed, nobody can settle an
    /// operation as not applied, but by force.
    #[must_use]
    pub fn settle_after(mut self, time: Duration) -> Self {
        self.rules.policy.settle_after = Some(time);
        self
    }

    /// The status of a mismatch, the same key with another request: 422, 409 or 400; 422.
    #[must_use]
    pub fn on_mismatch(mut self, status: StatusCode) -> Self {
        self.rules.mismatch = status;
        self
    }

    /// What a mismatch tells the owner of a key; all, with what is hidden blotted out. An anonymous owner is told nothing.
    #[must_use]
    pub fn conflict(mut self, conflict: Conflict) -> Self {
        self.rules.conflict = conflict;
        self
    }

    /// Members whose values are hidden before parameters are stored, besides those that are called like secrets and card
    /// numbers. Calls add up.
    #[must_use]
    pub fn redact<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.hidden.extend(names.into_iter().map(Into::into));
        self.rules.redaction = Redaction::new(self.once.ledger().key(), &self.hidden);
        self
    }

    /// Headers that are part of what makes two requests the same: those that name a tenant, a version or somebody who is
    /// acted for.
    #[must_use]
    pub fn count_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.rules.sameness.headers.extend(names);
        self
    }

    /// Members of a JSON body that may differ between repeats, such as a client's time of sending.
    #[must_use]
    pub fn ignore(mut self, members: impl IntoIterator<Item = Pointer>) -> Self {
        self.rules.sameness.ignore.extend(members);
        self
    }

    /// Largest body of a keyed request, in bytes; 1 MiB. Beyond it 413.
    #[must_use]
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.rules.request_limit = bytes;
        self
    }

    /// Largest result that is kept, in bytes, at most 128 MiB; 8 MiB. Of a larger one is remembered that it was, and its
    /// repeats are told so.
    #[must_use]
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.rules.answer_limit = bytes;
        self
    }

    /// Keeps status and `Location` of results and not their bodies.
    #[must_use]
    pub fn without_bodies(mut self) -> Self {
        self.rules.store_body = false;
        self
    }

    /// Headers of answers that are not kept, besides those that never are.
    #[must_use]
    pub fn drop_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.rules.drop.extend(names);
        self
    }

    /// What an answer of this status means here, whatever the contract's table says of it. If nothing is said, 408 leaves
    /// the outcome unknown: the service has the whole request, so something within has stopped waiting for the handler.
    #[must_use]
    pub fn outcome(mut self, status: StatusCode, outcome: Outcome) -> Self {
        self.rules.outcomes.by_status.insert(status.as_u16(), outcome);
        self
    }

    /// No status frees a key; only what is certain not to have begun does.
    #[must_use]
    pub fn free_strictly(mut self) -> Self {
        self.rules.outcomes.frees = Frees::Strict;
        self
    }

    /// Lets everything through, and counts and logs what would have happened: for a look at a service's traffic before
    /// the layer binds.
    #[must_use]
    pub fn observe(mut self) -> Self {
        self.rules.mode = Mode::Observe;
        self
    }

    /// Lets requests pass unprotected while the ledger cannot be asked. A repeat may then run twice.
    #[must_use]
    pub fn fail_open(mut self) -> Self {
        self.rules.fail_open = true;
        self
    }
}

impl Layer {
    fn build(&self) -> onlyonce_http::Layer {
        if let Err(unkept) = self.check() {
            panic!("a layer of onlyonce cannot be kept: {unkept}");
        }
        let mut rules = self.rules.clone();
        rules.outcomes.by_status.entry(TIMED_OUT).or_insert(Outcome::Unknown);
        let routes = Routes::new(self.once.clone(), rules, self.named);
        let identified = self.principal.clone();
        onlyonce_http::Layer::under_router(
            Arc::clone(self.once.shared()),
            Starts::BeforeCall,
            Box::new(move |parts| routes.of(parts)),
            Box::new(move |parts, _| identified.identify(parts)),
            routes::sent_to,
        )
    }

    fn check(&self) -> Result<(), Unkept> {
        if self.rules.carriers.derived().is_some() && !self.retained {
            return Err(Unkept::retention_unsaid());
        }
        self.rules.check()
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Once<S>;

    fn layer(&self, inner: S) -> Once<S> {
        Once::new(inner, self.build())
    }
}

impl<P> fmt::Debug for Layer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("name", &self.rules.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
