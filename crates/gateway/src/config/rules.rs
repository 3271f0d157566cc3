//! From settings to the rules of a route, as far as they can be kept.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{LedgerKey, Policy, carrier::Carrier, outcome::Overrides, parameters::Redaction, policy};
use onlyonce_http::{
    Carriers, Rules,
    rules::{self, Requirement, Sameness},
};

use super::{
    probe::REFERENCE,
    settings::{Body, KeyTime, Late, OnUnknown, Settings},
};
use crate::start_error::{StartError, StartErrorKind};

/// A shorter lease lapses between two renewals on a busy machine.
const LEASE_MIN: Duration = Duration::from_millis(100);
/// An upstream in trouble is not asked more often.
const PROBE_MIN: Duration = Duration::from_secs(1);
/// What the ledger reads back as one result has a bound of its own, with room for headers.
const ANSWER_LIMIT_MAX: u64 = 128 * 1024 * 1024;

impl Settings {
    /// The rules of the route `name`.
    ///
    /// # Errors
    /// [`StartError`] that names the route, the key and what would be valid.
    pub fn rules(&self, name: &str, key: &LedgerKey) -> Result<Rules, StartError> {
        let retention = self.retention();
        if let Some((_, key, why)) = self.faults(&retention).into_iter().find(|(found, ..)| *found) {
            return Err(StartError::new(StartErrorKind::Config, format!("route `{name}`: `{key}` {why}")));
        }
        let carriers = match self.carriers.as_slice() {
            [] => Carriers::default(),
            list => Carriers::new(list.iter().cloned()).map_err(|why| {
                StartError::new(StartErrorKind::Config, format!("route `{name}`: `carriers` {why}"))
            })?,
        };
        Ok(Rules {
            mode: self.mode,
            requirement: self.key,
            methods: self.methods.clone(),
            carriers,
            syntax: self.syntax,
            forward_key: self.forward_key,
            late: match self.late {
                Late::New => rules::Late::New,
                Late::RefuseDated => rules::Late::RefuseDated { ulid: self.key_time == KeyTime::Ulid },
            },
            policy: self.policy(),
            probes: (self.on_unknown == OnUnknown::Probe).then_some(self.probe.every.0),
            wait: self.wait.0,
            request_limit: bytes(self.request_limit.0),
            answer_limit: bytes(self.answer_limit.0),
            mismatch: self.on_mismatch,
            conflict: self.conflict,
            sameness: Sameness {
                raw: self.fingerprint.body == Body::Raw,
                authority: self.fingerprint.authority,
                headers: self.fingerprint.headers.clone(),
                ignore: self.fingerprint.ignore.clone(),
            },
            outcomes: Overrides { by_status: self.outcome.clone(), frees: self.frees },
            store_body: self.store_body,
            drop: self.headers.drop.clone(),
            fail_open: self.fail_open,
            resource: self.resource.clone(),
            publish: self.publish,
            ..Rules::new(Arc::<str>::from(name), Redaction::new(key, &self.redact))
        })
    }

    fn policy(&self) -> Policy {
        Policy {
            lease: self.lease.0,
            deadline: self.deadline.0,
            settle_after: self.settle_after.map(|span| span.0),
            retain_result: self.retain_result.0,
            retain_key: self.retain_key.0,
            on_unknown: match self.on_unknown {
                OnUnknown::Rerun => policy::OnUnknown::Rerun,
                OnUnknown::Probe => policy::OnUnknown::Probe,
                OnUnknown::Hold => policy::OnUnknown::Hold,
            },
        }
    }

    /// A result needs its key. Who has written one of the two learns what the other one is.
    fn retention(&self) -> String {
        let (key, result) = (self.retain_key, self.retain_result);
        let by_default = if result == Self::default().retain_result {
            format!("; retain_result is {result} by default; write it shorter too")
        } else {
            String::new()
        };
        format!(
            "is {key}, and must be at least `retain_result`, {result}: a result needs its key{by_default}"
        )
    }

    /// What cannot be kept, if so: by which key, and why. The first that applies is told.
    fn faults<'a>(&self, retention: &'a str) -> [(bool, &'static str, &'a str); 13] {
        let by_path = self.carriers.iter().any(|carrier| matches!(carrier, Carrier::Path(_)));
        [
            (
                self.on_unknown != OnUnknown::Hold && self.settle_after.is_none(),
                "settle_after",
                "is needed with on_unknown = \"rerun\" and \"probe\": the longest that the upstream may go on working \
                 after its caller is gone, such as \"2m\"",
            ),
            (
                self.on_unknown != OnUnknown::Hold && self.settle_after.is_some_and(|span| span.0.is_zero()),
                "settle_after",
                "must be longer than zero: the longest that the upstream may go on working after its caller is gone, \
                 such as \"2m\"",
            ),
            (
                self.on_unknown == OnUnknown::Probe && self.probe.url.is_empty(),
                "probe.url",
                "is needed with on_unknown = \"probe\": where the upstream tells what became of an operation, such as \
                 \"/transfers/by-operation/{operation_ref}\"",
            ),
            (
                self.on_unknown == OnUnknown::Probe && !self.probe.url.contains(REFERENCE),
                "probe.url",
                "must have {operation_ref} in it: the name by which the upstream knows the operation",
            ),
            (
                self.on_unknown == OnUnknown::Probe && self.probe.every.0 < PROBE_MIN,
                "probe.every",
                "must be at least 1s",
            ),
            (
                self.lease.0 < LEASE_MIN,
                "lease",
                "must be at least 100ms: it is renewed while the upstream works",
            ),
            (self.deadline.0.is_zero(), "deadline", "must be longer than zero"),
            (self.retain_key.0 < self.retain_result.0, "retain_key", retention),
            (
                self.retain_key.0 < self.deadline.0,
                "retain_key",
                "must be at least `deadline`: a key is needed while its request runs",
            ),
            (
                self.answer_limit.0 > ANSWER_LIMIT_MAX,
                "answer_limit",
                "is at most 128MiB: larger answers pass, and are not kept",
            ),
            (
                self.carriers.is_empty() && self.key != Requirement::Off,
                "carriers",
                "is empty; write key = \"off\" if keys mean nothing here",
            ),
            (
                by_path && !self.create,
                "create",
                "must be true with a path: carrier: only a request that creates what its path names happens once; one \
                 that replaces it needs a key of its own",
            ),
            (
                self.create && !by_path,
                "create",
                "means something only with a path: carrier, such as carriers = [\"path:id\"]",
            ),
        ]
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
