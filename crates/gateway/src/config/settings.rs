//! What a route can say, and `[defaults]` can say for it.
//!
//! Here is what there is; the defaults stand in `default.toml` beside this file, what they mean in [`super::rules`].

use std::collections::BTreeMap;

use http::{HeaderName, Method, StatusCode};
use onlyonce_core::{
    carrier::Carrier,
    json::Pointer,
    key::Syntax,
    outcome::{Frees, Outcome},
};
use onlyonce_http::rules::{AfterRestore, Conflict, ForwardKey, Late, Mode, Requirement, Resource};
use serde::{Deserialize, Deserializer};

use super::{
    Config,
    probe::Probe,
    units::{Size, Span},
    written::{self, Final, list, maybe, one},
};

/// All settings of a route: its own, and those of the defaults where it says nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the rules bind.
    #[serde(deserialize_with = "one")]
    pub mode: Mode,
    /// Whether a key is needed.
    #[serde(deserialize_with = "one")]
    pub key: Requirement,
    /// Methods that may carry one.
    #[serde(deserialize_with = "list")]
    pub methods: Vec<Method>,
    /// What a key may come by, in this order.
    #[serde(deserialize_with = "list")]
    pub carriers: Vec<Carrier>,
    /// Whether a request creates what its path names, once.
    pub create: bool,
    /// How strictly keys are read.
    #[serde(deserialize_with = "one")]
    pub syntax: Syntax,
    /// What goes upstream as the key.
    #[serde(deserialize_with = "one")]
    pub forward_key: ForwardKey,
    /// How long a repeat waits for the first.
    pub wait: Span,
    /// How long a claim holds without being renewed.
    pub lease: Span,
    /// How long an attempt may take.
    pub deadline: Span,
    /// How long results are replayed.
    pub retain_result: Span,
    /// How long keys are remembered.
    pub retain_key: Span,
    /// What a key means that was born before `retain_key`.
    #[serde(deserialize_with = "one")]
    pub late: Late,
    /// What a key means that does not tell its birth, after the ledger was restored; none: it follows `key`.
    #[serde(default, deserialize_with = "maybe")]
    pub after_restore: Option<AfterRestore>,
    /// What tells a key's birth.
    #[serde(deserialize_with = "one")]
    pub key_time: KeyTime,
    /// What happens to repeats while the outcome is unknown.
    #[serde(deserialize_with = "one")]
    pub on_unknown: OnUnknown,
    /// The longest that the upstream may work after its caller is gone.
    #[serde(default)]
    pub settle_after: Option<Span>,
    /// Status of a mismatch.
    #[serde(deserialize_with = "mismatch")]
    pub on_mismatch: StatusCode,
    /// What a conflict answer tells.
    #[serde(deserialize_with = "one")]
    pub conflict: Conflict,
    /// Names of members to hide, besides the built-in ones.
    pub redact: Vec<String>,
    /// Largest keyed request.
    pub request_limit: Size,
    /// Largest result that is kept.
    pub answer_limit: Size,
    /// Whether the body of a result is kept.
    pub store_body: bool,
    /// Whether requests pass unprotected while the ledger cannot be asked.
    pub fail_open: bool,
    /// What frees a key.
    #[serde(deserialize_with = "one")]
    pub frees: Frees,
    /// The id that traces carry.
    #[serde(deserialize_with = "maybe")]
    pub resource: Option<Resource>,
    /// Whether the policy document names the route.
    pub publish: bool,
    /// What makes two requests the same.
    pub fingerprint: Fingerprint,
    /// What the upstream's answers mean, on top of the table.
    #[serde(deserialize_with = "outcomes")]
    pub outcome: BTreeMap<u16, Outcome>,
    /// Headers of answers.
    pub headers: Headers,
    /// How the upstream is asked what became of an operation.
    pub probe: Probe,
}

/// `[…fingerprint]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// How a body counts.
    #[serde(deserialize_with = "one")]
    pub body: Body,
    /// Whether the host counts.
    pub authority: bool,
    /// The headers that count.
    #[serde(deserialize_with = "list")]
    pub headers: Vec<HeaderName>,
    /// The members of a JSON body that do not count.
    #[serde(deserialize_with = "list")]
    pub ignore: Vec<Pointer>,
}

/// `[…headers]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Headers {
    /// Not kept, besides those that never are.
    #[serde(deserialize_with = "list")]
    pub drop: Vec<HeaderName>,
}

/// `key_time = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTime {
    /// The version bits of a UUIDv7.
    Uuid,
    /// These, and keys that read as a ULID.
    Ulid,
}

/// `on_unknown = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Refused until settled.
    Hold,
    /// The upstream is asked.
    Probe,
    /// Run again: the upstream deduplicates on `Idempotency-Operation`.
    Rerun,
}

/// `fingerprint.body = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON, forms and multipart by value, anything else byte by byte.
    Auto,
    /// Byte by byte.
    Raw,
}

impl Default for Settings {
    fn default() -> Self {
        Config::default().defaults
    }
}

fn mismatch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
    written::status(deserializer, |status| [422, 409, 400].contains(&status), "422, 409 or 400")
}

fn outcomes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u16, Outcome>, D::Error> {
    let said = written::pairs::<D, Final, Outcome>(deserializer)?;
    Ok(said.into_iter().map(|(status, outcome)| (status.0, outcome)).collect())
}
