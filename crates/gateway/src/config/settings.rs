//! What a route can say, and the defaults can say for it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use onlyonce_core::{LedgerKey, Policy, key::Syntax, parameters::Redaction, policy};
use onlyonce_http::{
    Rules,
    rules::{Conflict, Requirement},
};
use serde::Deserialize;

use super::units::{Size, Span};
use crate::start_error::{StartError, StartErrorKind};

/// A shorter lease lapses between two renewals on a busy machine.
const LEASE_MIN: Duration = Duration::from_millis(100);
/// What the ledger reads back as one result has a bound of its own, with room for headers.
const ANSWER_LIMIT_MAX: usize = 128 * 1024 * 1024;

/// Settings of a route or of the defaults; what is absent comes from further up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a key is needed.
    pub key: Option<KeyRule>,
    /// Methods that may carry one.
    pub methods: Option<Vec<String>>,
    /// How strictly keys are read.
    pub syntax: Option<SyntaxRule>,
    /// How long a repeat waits for the first.
    pub wait: Option<Span>,
    /// How long a claim holds without being renewed.
    pub lease: Option<Span>,
    /// How long an attempt may take.
    pub deadline: Option<Span>,
    /// How long results are replayed.
    pub retain_result: Option<Span>,
    /// How long keys are remembered.
    pub retain_key: Option<Span>,
    /// What happens to repeats while the outcome is unknown.
    pub on_unknown: Option<OnUnknown>,
    /// The longest that the upstream may work after its caller is gone.
    pub settle_after: Option<Span>,
    /// Status of a mismatch.
    pub on_mismatch: Option<u16>,
    /// What a conflict answer tells.
    pub conflict: Option<ConflictMode>,
    /// Names of members to hide, besides the built-in ones; a route adds to those of the defaults.
    pub redact: Option<Vec<String>>,
    /// Largest keyed request.
    pub request_limit: Option<Size>,
    /// Largest result that is kept.
    pub answer_limit: Option<Size>,
    /// What makes two requests the same.
    pub fingerprint: Option<Body>,
}

/// `[…fingerprint]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Body {
    /// Whether the host counts.
    pub authority: Option<bool>,
}

/// `key = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRule {
    /// 400 without one.
    Required,
    /// Untouched without one.
    Optional,
    /// Keys mean nothing.
    Off,
}

/// `syntax = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntaxRule {
    /// Quoted and bare keys.
    Lenient,
    /// Quoted keys only.
    Strict,
}

/// `on_unknown = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// Refused until settled.
    Hold,
    /// Run again: the upstream deduplicates on `Idempotency-Operation`.
    Rerun,
}

/// `conflict = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictMode {
    /// Parameters and what differs.
    Canonical,
    /// What differs.
    Fields,
    /// Neither.
    None,
}

impl Settings {
    /// These, and `below` where they say nothing.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        let this = self.clone();
        let below = below.clone();
        Self {
            key: this.key.or(below.key),
            methods: this.methods.or(below.methods),
            syntax: this.syntax.or(below.syntax),
            wait: this.wait.or(below.wait),
            lease: this.lease.or(below.lease),
            deadline: this.deadline.or(below.deadline),
            retain_result: this.retain_result.or(below.retain_result),
            retain_key: this.retain_key.or(below.retain_key),
            on_unknown: this.on_unknown.or(below.on_unknown),
            settle_after: this.settle_after.or(below.settle_after),
            on_mismatch: this.on_mismatch.or(below.on_mismatch),
            conflict: this.conflict.or(below.conflict),
            redact: both(this.redact, below.redact),
            request_limit: this.request_limit.or(below.request_limit),
            answer_limit: this.answer_limit.or(below.answer_limit),
            fingerprint: this.fingerprint.or(below.fingerprint),
        }
    }

    /// The rules of the route `name`.
    ///
    /// # Errors
    /// [`StartError`] that names the route, the key and what would be valid.
    pub fn rules(&self, name: &str, key: &LedgerKey) -> Result<Rules, StartError> {
        let wrong = |key: &str, why: &str| {
            StartError::new(StartErrorKind::Config, format!("route `{name}`: `{key}` {why}"))
        };
        let mut rules =
            Rules::new(Arc::from(name), Redaction::new(key, self.redact.as_deref().unwrap_or_default()));
        rules.policy = self.policy(rules.policy);
        if rules.policy.on_unknown == policy::OnUnknown::Rerun && rules.policy.settle_after.is_none() {
            return Err(wrong(
                "settle_after",
                "is needed with `on_unknown = \"rerun\"`: the longest that the upstream may go on working after its \
                 caller is gone, such as \"2m\"",
            ));
        }
        if rules.policy.lease < LEASE_MIN {
            return Err(wrong("lease", "must be at least 100ms: it is renewed while the upstream works"));
        }
        if rules.policy.deadline.is_zero() {
            return Err(wrong("deadline", "must be longer than zero"));
        }
        if rules.policy.retain_key < rules.policy.retain_result {
            return Err(wrong("retain_key", "must be at least `retain_result`: a result needs its key"));
        }
        if rules.policy.retain_key < rules.policy.deadline {
            return Err(wrong(
                "retain_key",
                "must be at least `deadline`: a key is needed while its request runs",
            ));
        }
        if let Some(methods) = &self.methods {
            let parsed = methods.iter().map(|method| method.to_ascii_uppercase().parse());
            rules.methods = parsed
                .collect::<Result<_, _>>()
                .map_err(|_| wrong("methods", "lists something that is not a method"))?;
        }
        if let Some(status) = self.on_mismatch {
            rules.mismatch = StatusCode::from_u16(status)
                .ok()
                .filter(|status| [422, 409, 400].contains(&status.as_u16()))
                .ok_or_else(|| wrong("on_mismatch", "is 422, 409 or 400"))?;
        }
        self.limits(&mut rules);
        if rules.answer_limit > ANSWER_LIMIT_MAX {
            return Err(wrong("answer_limit", "is at most 128MiB: larger answers pass, and are not kept"));
        }
        Ok(rules)
    }

    fn policy(&self, default: Policy) -> Policy {
        let span = |ours: Option<Span>, default| ours.map_or(default, |span| span.0);
        Policy {
            lease: span(self.lease, default.lease),
            deadline: span(self.deadline, default.deadline),
            settle_after: self.settle_after.map(|span| span.0).or(default.settle_after),
            retain_result: span(self.retain_result, default.retain_result),
            retain_key: span(self.retain_key, default.retain_key),
            on_unknown: match self.on_unknown {
                Some(OnUnknown::Rerun) => policy::OnUnknown::Rerun,
                Some(OnUnknown::Hold) | None => policy::OnUnknown::Hold,
            },
        }
    }

    fn limits(&self, rules: &mut Rules) {
        let size = |ours: Option<Size>, default| {
            ours.map_or(default, |size| usize::try_from(size.0).unwrap_or(usize::MAX))
        };
        rules.request_limit = size(self.request_limit, rules.request_limit);
        rules.answer_limit = size(self.answer_limit, rules.answer_limit);
        rules.wait = self.wait.map_or(rules.wait, |span| span.0);
        rules.requirement = match self.key {
            Some(KeyRule::Required) => Requirement::Required,
            Some(KeyRule::Optional) | None => Requirement::Optional,
            Some(KeyRule::Off) => Requirement::Off,
        };
        rules.syntax = match self.syntax {
            Some(SyntaxRule::Strict) => Syntax::Strict,
            Some(SyntaxRule::Lenient) | None => Syntax::Lenient,
        };
        rules.conflict = match self.conflict {
            Some(ConflictMode::Canonical) | None => Conflict::Canonical,
            Some(ConflictMode::Fields) => Conflict::Fields,
            Some(ConflictMode::None) => Conflict::None,
        };
        if let Some(authority) = self.fingerprint.as_ref().and_then(|body| body.authority) {
            rules.sameness.authority = authority;
        }
    }
}

/// Both lists. What somebody wanted hidden everywhere, no route shows.
fn both(ours: Option<Vec<String>>, below: Option<Vec<String>>) -> Option<Vec<String>> {
    match (ours, below) {
        (Some(ours), Some(below)) => Some([below, ours].concat()),
        (ours, below) => ours.or(below),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, String> {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.rules("POST /x", &LedgerKey::new([0; 32])).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_the_key_that_asks_for_it() {
        for (text, key) in [
            ("lease = \"0s\"", "`lease`"),
            ("lease = \"99ms\"", "`lease`"),
            ("deadline = \"0s\"", "`deadline`"),
            ("deadline = \"8d\"", "`retain_key` must be at least `deadline`"),
            ("retain_key = \"1h\"", "`retain_key` must be at least `retain_result`"),
            ("answer_limit = \"129MiB\"", "`answer_limit`"),
        ] {
            let told = rules(text).map(|_| ()).unwrap_err();
            assert!(told.starts_with(&format!("route `POST /x`: {key}")), "{text}: {told}");
        }
        for text in ["lease = \"100ms\"", "answer_limit = \"128MiB\"", "deadline = \"7d\""] {
            assert!(rules(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_route_hides_what_the_defaults_hide_and_more() {
        let list = |names: &[&str]| Settings {
            redact: Some(names.iter().map(ToString::to_string).collect()),
            ..Settings::default()
        };
        let said = Settings::default();
        let hidden = |route: &Settings, defaults: &Settings| route.over(defaults).redact.unwrap_or_default();
        assert_eq!(hidden(&list(&["iban"]), &list(&["ssn"])), ["ssn", "iban"]);
        assert_eq!(hidden(&said, &list(&["ssn"])), ["ssn"]);
        assert_eq!(hidden(&list(&["iban"]), &said), ["iban"]);
    }
}
