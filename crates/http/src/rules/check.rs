//! Whether the rules of a route can be kept: one decision, for the gateway's file and the middleware's methods.
//!
//! An error names the setting as both of them call it, and what to write instead. Where a setting was written is known to
//! its owner, who adds it.

use std::{fmt, time::Duration};

use onlyonce_core::{policy::OnUnknown, time::InUnits};

use super::{Resource, Rules};

/// What is added to a clock that does not reach the end of time.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);
/// A shorter lease lapses between two renewals on a busy machine.
const LEASE_MIN: Duration = Duration::from_millis(100);
/// An upstream in trouble is not asked more often.
const PROBE_MIN: Duration = Duration::from_secs(1);
/// What the ledger reads back as one result has a bound of its own, with room for headers.
const ANSWER_LIMIT_MAX: usize = 128 * 1024 * 1024;

/// Rules that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unkept {
    setting: &'static str,
    against: Option<&'static str>,
    why: String,
}

impl Unkept {
    /// What a setting is, or must be.
    pub fn new(setting: &'static str, why: impl Into<String>) -> Self {
        Self { setting, against: None, why: why.into() }
    }

    /// Compared with this other one.
    #[must_use]
    pub fn against(self, other: &'static str) -> Self {
        Self { against: Some(other), ..self }
    }

    /// A derived key is a guess at what a person means by *again*, and nobody but the route knows for how long. Whether it
    /// was said is known to who reads the settings.
    pub fn retention_unsaid() -> Self {
        let why =
            "must be said where a key is derived: for how long the same members mean the same operation";
        Self::new("retain_key", why).against("carriers")
    }

    /// The setting.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The one that it was compared with, if any.
    pub fn compared_with(&self) -> Option<&'static str> {
        self.against
    }

    /// What it is or must be: the end of a sentence that begins with the setting.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl Rules {
    /// Whether the rules can be kept. The first that cannot is told.
    ///
    /// # Errors
    /// [`Unkept`], with the setting and what would be valid.
    pub fn check(&self) -> Result<(), Unkept> {
        self.check_unknown()?;
        self.check_times()?;
        if self.answer_limit > ANSWER_LIMIT_MAX {
            return Err(Unkept::new(
                "answer_limit",
                "is at most 128 MiB: larger answers pass, and are not kept",
            ));
        }
        if ![422, 409, 400].contains(&self.mismatch.as_u16()) {
            return Err(Unkept::new("on_mismatch", "must be 422, 409 or 400"));
        }
        if let Some(Resource::Path(name)) = &self.resource
            && self.carriers.path() == Some(name)
        {
            let why = "is one of the `carriers`, and a key must not stand in the log: name another parameter";
            return Err(Unkept::new("resource", why).against("carriers"));
        }
        Ok(())
    }

    /// What ends an unknown without a person needs to know when nothing can come any more.
    fn check_unknown(&self) -> Result<(), Unkept> {
        let settles = self.policy.on_unknown != OnUnknown::Hold;
        let wrong = |why: &str| {
            let why = format!(
                "{why}: the longest that an attempt may go on working after its caller is gone, such as 2m"
            );
            Err(Unkept::new("settle_after", why).against("on_unknown"))
        };
        match self.policy.settle_after {
            None if settles => wrong("is needed where unknown outcomes are run again or probed"),
            Some(Duration::ZERO) if settles => wrong("must be longer than zero"),
            None | Some(_) => Ok(()),
        }?;
        match self.probes {
            Some(every) if every < PROBE_MIN => Err(Unkept::new("probe.every", "must be at least 1s")),
            None | Some(_) => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), Unkept> {
        let policy = &self.policy;
        let waited_for = [
            ("wait", self.wait),
            ("lease", policy.lease),
            ("deadline", policy.deadline),
            ("settle_after", policy.settle_after.unwrap_or_default()),
        ];
        if let Some((setting, _)) = waited_for.into_iter().find(|(_, time)| *time > LONGEST) {
            return Err(Unkept::new(setting, "is at most 36500d: nobody waits longer than a hundred years"));
        }
        if policy.lease < LEASE_MIN {
            let why = "must be at least 100ms: it is renewed while an attempt works";
            return Err(Unkept::new("lease", why));
        }
        if policy.deadline.is_zero() {
            return Err(Unkept::new("deadline", "must be longer than zero"));
        }
        let shorter_than = |other: &'static str, than: Duration, why: &str| {
            let (key, than) = (InUnits(policy.retain_key), InUnits(than));
            Unkept::new("retain_key", format!("is {key}, and must be at least `{other}`, {than}: {why}"))
                .against(other)
        };
        if policy.retain_key < policy.retain_result {
            return Err(shorter_than("retain_result", policy.retain_result, "a result needs its key"));
        }
        if policy.retain_key < policy.deadline {
            return Err(shorter_than("deadline", policy.deadline, "a key is needed while its request runs"));
        }
        Ok(())
    }
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.setting, self.why)
    }
}

impl std::error::Error for Unkept {}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use onlyonce_core::{LedgerKey, carrier::Carrier, parameters::Redaction};

    use super::*;
    use crate::carriers::Carriers;

    /// What is changed, the setting that is told, and the one that it is compared with.
    type Row = (fn(&mut Rules), &'static str, Option<&'static str>);

    const MS: Duration = Duration::from_millis(1);

    fn rules(change: fn(&mut Rules)) -> Rules {
        let mut rules = Rules::new("*", Redaction::new(&LedgerKey::new([1; 32]), &[]));
        change(&mut rules);
        rules
    }

    #[test]
    fn what_cannot_be_kept_names_its_setting_and_the_one_it_is_compared_with() {
        let rows: [Row; 15] = [
            (|of| of.wait = LONGEST + MS, "wait", None),
            (|of| of.policy.lease = Duration::MAX, "lease", None),
            (
                |of| (of.policy.deadline, of.policy.retain_key) = (Duration::MAX, Duration::MAX),
                "deadline",
                None,
            ),
            (|of| of.policy.settle_after = Some(Duration::MAX), "settle_after", None),
            (|of| of.policy.lease = LEASE_MIN - MS, "lease", None),
            (|of| of.policy.deadline = Duration::ZERO, "deadline", None),
            (|of| of.policy.retain_key = of.policy.retain_result - MS, "retain_key", Some("retain_result")),
            (|of| of.policy.deadline = of.policy.retain_key + MS, "retain_key", Some("deadline")),
            (|of| of.answer_limit = ANSWER_LIMIT_MAX + 1, "answer_limit", None),
            (|of| of.mismatch = StatusCode::IM_A_TEAPOT, "on_mismatch", None),
            (
                |of| {
                    of.carriers = Carriers::new([Carrier::Path("id".into())]).unwrap();
                    of.resource = Some(Resource::Path("id".into()));
                },
                "resource",
                Some("carriers"),
            ),
            (|of| of.policy.on_unknown = OnUnknown::Rerun, "settle_after", Some("on_unknown")),
            (|of| of.policy.on_unknown = OnUnknown::Probe, "settle_after", Some("on_unknown")),
            (
                |of| {
                    (of.policy.on_unknown, of.policy.settle_after) = (OnUnknown::Rerun, Some(Duration::ZERO))
                },
                "settle_after",
                Some("on_unknown"),
            ),
            (|of| of.probes = Some(PROBE_MIN - MS), "probe.every", None),
        ];
        for (change, setting, other) in rows {
            let unkept = rules(change).check().unwrap_err();
            assert_eq!((unkept.setting(), unkept.compared_with()), (setting, other), "{unkept}");
            assert!(unkept.to_string().starts_with(&format!("`{setting}` ")), "{unkept}");
            assert!(
                other.is_none_or(|other| other == "on_unknown" || unkept.why().contains(other)),
                "{unkept}"
            );
        }
    }

    #[test]
    fn what_is_at_its_bound_can_be_kept() {
        let rows: [fn(&mut Rules); 8] = [
            |_| {},
            |of| (of.wait, of.policy.lease, of.policy.settle_after) = (LONGEST, LONGEST, Some(LONGEST)),
            |of| (of.policy.retain_result, of.policy.retain_key) = (Duration::MAX, Duration::MAX),
            |of| of.policy.lease = LEASE_MIN,
            |of| {
                (of.policy.retain_key, of.policy.deadline) =
                    (of.policy.retain_result, of.policy.retain_result)
            },
            |of| of.answer_limit = ANSWER_LIMIT_MAX,
            |of| (of.policy.on_unknown, of.policy.settle_after) = (OnUnknown::Rerun, Some(MS)),
            |of| of.policy.settle_after = Some(Duration::ZERO),
        ];
        for (number, change) in rows.into_iter().enumerate() {
            assert_eq!(rules(change).check(), Ok(()), "{number}");
        }
    }
}
