//! What a route asks of its keyed requests.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use onlyonce_core::{Policy, key::Syntax, parameters::Redaction};

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

/// One route's rules. Shared by all its requests.
#[derive(Clone)]
pub struct Rules {
    /// The route's name, as the configuration writes it.
    pub name: Arc<str>,
    /// Whether a key is needed.
    pub requirement: Requirement,
    /// The methods that may carry a key; GET, HEAD and OPTIONS never do.
    pub methods: Vec<Method>,
    /// How strictly keys are read.
    pub syntax: Syntax,
    /// Clocks and promises.
    pub policy: Policy,
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
    /// Whether the host counts in the fingerprint.
    pub authority: bool,
}

impl Rules {
    /// The contract's defaults: a key is optional on POST and PATCH.
    pub fn new(name: impl Into<Arc<str>>, redaction: Redaction) -> Self {
        Self {
            name: name.into(),
            requirement: Requirement::Optional,
            methods: vec![Method::POST, Method::PATCH],
            syntax: Syntax::Lenient,
            policy: Policy::default(),
            wait: Duration::from_secs(5),
            request_limit: 1024 * 1024,
            request_time: Duration::from_secs(30),
            answer_limit: 8 * 1024 * 1024,
            mismatch: StatusCode::UNPROCESSABLE_ENTITY,
            conflict: Conflict::Canonical,
            redaction,
            authority: true,
        }
    }

    /// Whether requests of this method may carry a key here.
    pub fn covers(&self, method: &Method) -> bool {
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        self.requirement != Requirement::Off && !safe && self.methods.contains(method)
    }

    /// How long an attempt goes on listening for a late answer.
    pub fn late(&self) -> Duration {
        self.policy.settle_after.unwrap_or(self.policy.deadline)
    }
}
