//! What a route asks of its keyed requests.

mod check;

use std::{sync::Arc, time::Duration};

use http::{HeaderName, Method, StatusCode};
use onlyonce_core::{
    Policy, json::Pointer, key::Syntax, outcome::Overrides, parameters::Redaction, problem::URN_BASE,
};

pub use self::check::Unkept;
use crate::{carriers::Carriers, pattern::Pattern, telemetry::Counted};

/// Whether a route's requests need a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Without one: 400 `key-missing`.
    Required,
    /// Without one they pass untouched.
    Optional,
    /// Keys mean nothing here.
    Off,
}

/// What a conflict answer tells the owner of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The redacted parameters that the key stands for, and which of them differ.
    Canonical,
    /// Which differ.
    Fields,
    /// Neither.
    None,
}

/// Whether the rules bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Enforce,
    /// Everything is let through; what would have happened is counted and logged.
    Observe,
}

/// What goes upstream as `Idempotency-Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardKey {
    /// The client's key, as an Item String.
    AsSent,
    /// The operation's name: no two principals share it.
    Derived,
    /// Nothing.
    Off,
}

/// What a key means that tells its own birth, once nothing is on record for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// A new operation.
    New,
    /// One that was born longer ago than keys are remembered is refused.
    RefuseDated,
}

/// What a key means that does not tell its birth, once nothing is on record for it in a ledger that was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRestore {
    /// A new operation.
    New,
    /// It is refused, for as long as keys are remembered: it may have been used before.
    Refuse,
}

/// Which requests count as the same, beside method, path, query and content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sameness {
    /// Whether the body counts byte by byte, also where it could count by value.
    pub raw: bool,
    /// Whether the host counts.
    pub authority: bool,
    /// The headers that count.
    pub headers: Vec<HeaderName>,
    /// The members of a JSON body that do not count.
    pub ignore: Vec<Pointer>,
}

/// Where the id is found that traces and log lines carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// In the answer's JSON body.
    Body(Pointer),
    /// In a header of the answer.
    Header(HeaderName),
    /// In the path of the request: a parameter of the route.
    Path(Box<str>),
}

/// One route's rules. Shared by all its requests.
#[derive(Clone)]
pub struct Rules {
    /// The route's name, as the configuration writes it.
    pub name: Arc<str>,
    /// Whether they bind.
    pub mode: Mode,
    /// Whether a key is needed.
    pub requirement: Requirement,
    /// The methods that may carry a key; GET, HEAD and OPTIONS never do.
    pub methods: Vec<Method>,
    /// The paths of the route, where its parameters have a meaning.
    pub pattern: Option<Pattern>,
    /// What a key may come by.
    pub carriers: Carriers,
    /// How strictly keys are read.
    pub syntax: Syntax,
    /// What goes upstream as the key.
    pub forward_key: ForwardKey,
    /// What a dated key means that nothing is on record for.
    pub late: Late,
    /// What an undated one means, where the ledger was restored; `None`: it is refused where a key is needed, because there is
    /// no request that may as well be carried out twice.
    pub after_restore: Option<AfterRestore>,
    /// Whether keys that read as a ULID are one. A UUIDv7 tells its birth by its version bits.
    pub ulid: bool,
    /// Clocks and promises.
    pub policy: Policy,
    /// How often whoever knows is asked what became of an unknown; `None` if nobody is.
    pub probes: Option<Duration>,
    /// How long a repeat waits for the first.
    pub wait: Duration,
    /// Largest request body, in bytes.
    pub request_limit: usize,
    /// How long a request body may take to arrive.
    pub request_time: Duration,
    /// Largest result that is kept, in bytes.
    pub answer_limit: usize,
    /// Status of a mismatch: 422, 409 or 400.
    pub mismatch: StatusCode,
    /// What a conflict answer tells.
    pub conflict: Conflict,
    /// Which members are hidden in stored parameters.
    pub redaction: Redaction,
    /// Which requests are the same.
    pub sameness: Sameness,
    /// What its upstream's answers mean, on top of the table.
    pub outcomes: Overrides,
    /// Whether the body of a result is kept; if not, its status and `Location` are.
    pub store_body: bool,
    /// Headers of an answer that are not kept, besides those that never are.
    pub drop: Vec<HeaderName>,
    /// Whether requests pass unprotected while the ledger cannot be asked.
    pub fail_open: bool,
    /// The id that traces carry.
    pub resource: Option<Resource>,
    /// Whether the policy document names the route.
    pub publish: bool,
    /// What the `type` of its problem documents begins with.
    pub problem_base: Arc<str>,
    /// Whether the operations endpoint is served, so that answers may send their owner there.
    pub operations: bool,
    /// Where its requests are counted.
    pub counted: Counted,
}

impl Rules {
    /// The contract's defaults: a key is optional on POST and PATCH.
    pub fn new(name: impl Into<Arc<str>>, redaction: Redaction) -> Self {
        Self {
            name: name.into(),
            mode: Mode::Enforce,
            requirement: Requirement::Optional,
            methods: vec![Method::POST, Method::PATCH],
            pattern: None,
            carriers: Carriers::default(),
            syntax: Syntax::Lenient,
            forward_key: ForwardKey::AsSent,
            late: Late::New,
            after_restore: None,
            ulid: false,
            policy: Policy::default(),
            probes: None,
            wait: Duration::from_secs(5),
            request_limit: 1024 * 1024,
            request_time: Duration::from_secs(30),
            answer_limit: 8 * 1024 * 1024,
            mismatch: StatusCode::UNPROCESSABLE_ENTITY,
            conflict: Conflict::Canonical,
            redaction,
            sameness: Sameness { raw: false, authority: true, headers: Vec::new(), ignore: Vec::new() },
            outcomes: Overrides::default(),
            store_body: true,
            drop: Vec::new(),
            fail_open: false,
            resource: None,
            publish: false,
            problem_base: URN_BASE.into(),
            operations: true,
            counted: Counted::default(),
        }
    }

    /// Whether requests of this method may carry a key here.
    pub fn covers(&self, method: &Method) -> bool {
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        self.requirement != Requirement::Off && !safe && self.methods.contains(method)
    }

    /// Whether a key that does not tell its birth is refused, once nothing is on record for it in a ledger that was restored.
    pub fn refuses_undated(&self) -> bool {
        match self.after_restore {
            Some(after) => after == AfterRestore::Refuse,
            None => self.requirement == Requirement::Required,
        }
    }

    /// How long an attempt goes on listening for a late answer.
    pub fn listening(&self) -> Duration {
        self.policy.settle_after.unwrap_or(self.policy.deadline)
    }
}
