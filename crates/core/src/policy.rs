//! What a route promises about one operation, as it is stored with the claim.
//!
//! A record is judged by the policy it was claimed under, not by the configuration of the day. The one exception is
//! [`OnUnknown::Rerun`]: a promise about the upstream that is withdrawn counts at once, so both must make it.

use std::time::Duration;

/// Clocks and promises of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a claim holds without being renewed. Renewed at a third of it.
    pub lease: Duration,
    /// How long an attempt may take before its record becomes unknown.
    pub deadline: Duration,
    /// The longest that the upstream may go on working after its caller is gone; `None` if nobody said.
    pub settle_after: Option<Duration>,
    /// How long a result is replayed, counted from the outcome.
    pub retain_result: Duration,
    /// How long the key is remembered, counted from the outcome; never shorter than the result.
    pub retain_key: Duration,
    /// What happens to a repeat while the outcome is unknown.
    pub on_unknown: OnUnknown,
}

/// What happens to a repeat while the outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Refused until somebody settles it.
    Hold,
    /// Refused like held ones; the upstream is asked what became of it, and its answer settles it.
    Probe,
    /// Run again once `settle_after` has passed: the upstream deduplicates on `Idempotency-Operation`, also two
    /// requests at the same time.
    Rerun,
}

impl OnUnknown {
    /// `hold`, `probe` or `rerun`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Probe => "probe",
            Self::Rerun => "rerun",
        }
    }
}

impl Default for Policy {
    /// Lease and deadline 60 s, result 24 h, key 7 d, hold.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            deadline: Duration::from_secs(60),
            settle_after: None,
            retain_result: Duration::from_secs(24 * 3600),
            retain_key: Duration::from_secs(7 * 24 * 3600),
            on_unknown: OnUnknown::Hold,
        }
    }
}

impl Policy {
    /// How long a released record is kept, so that fences do not repeat and a late outcome is caught.
    pub fn keep_released(&self) -> Duration {
        self.lease.max(self.settle_after.unwrap_or_default())
    }
}
