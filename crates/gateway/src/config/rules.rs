//! From settings to the rules of a route, as far as they can be kept.

use std::sync::Arc;

use onlyonce_core::{LedgerKey, Policy, carrier::Carrier, outcome::Overrides, parameters::Redaction, policy};
use onlyonce_http::{
    Carriers, Rules,
    rules::{Requirement, Sameness, Unkept},
};

use super::{
    probe::REFERENCE,
    settings::{Body, KeyTime, OnUnknown, Settings},
};

impl Settings {
    /// The rules of the route `name`.
    ///
    /// # Errors
    /// [`Unkept`] that names the key and what would be valid.
    pub fn rules(&self, name: &str, key: &LedgerKey) -> Result<Rules, Unkept> {
        self.check_probe()?;
        self.check_create()?;
        let rules = Rules {
            mode: self.mode,
            requirement: self.key,
            methods: self.methods.clone(),
            carriers: self.carriers()?,
            syntax: self.syntax,
            forward_key: self.forward_key,
            late: self.late,
            after_restore: self.after_restore,
            ulid: self.key_time == KeyTime::Ulid,
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
        };
        rules.check()?;
        Ok(rules)
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

    fn carriers(&self) -> Result<Carriers, Unkept> {
        match self.carriers.as_slice() {
            [] if self.key == Requirement::Off => Ok(Carriers::default()),
            [] => Err(Unkept::new("carriers", "is empty; write key = \"off\" if keys mean nothing here")
                .against("key")),
            list => Carriers::new(list.iter().cloned()).map_err(|why| Unkept::new("carriers", why)),
        }
    }

    fn check_probe(&self) -> Result<(), Unkept> {
        let wrong = |why| Err(Unkept::new("probe.url", why).against("on_unknown"));
        if self.on_unknown != OnUnknown::Probe || self.probe.url.contains(REFERENCE) {
            return Ok(());
        }
        if self.probe.url.is_empty() {
            return wrong(
                "is needed with on_unknown = \"probe\": where the upstream tells what became of an operation, such as \
                 \"/transfers/by-operation/{operation_ref}\"",
            );
        }
        wrong("must have {operation_ref} in it: the name by which the upstream knows the operation")
    }

    fn check_create(&self) -> Result<(), Unkept> {
        let by_path = self.carriers.iter().any(|carrier| matches!(carrier, Carrier::Path(_)));
        let wrong = |why| Err(Unkept::new("create", why).against("carriers"));
        match (by_path, self.create) {
            (true, false) => wrong(
                "must be true with a path: carrier: only a request that creates what its path names happens once; one \
                 that replaces it needs a key of its own",
            ),
            (false, true) => {
                wrong("means something only with a path: carrier, such as carriers = [\"path:id\"]")
            }
            (true, true) | (false, false) => Ok(()),
        }
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
