//! The catalogue of metrics: every name that Onlyonce counts under, as data. What is counted where it happens takes its
//! name from here, and `docs/reference/metrics.md` explains each.
//!
//! Invariant: every label has either the fixed values that stand here, or the routes of the configuration. Nothing that
//! a caller sends becomes a label.

use crate::problem::{self, Problem};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its name: prefix, what is measured, unit; counters end in `_total`.
    pub name: &'static str,
    /// How it counts.
    pub kind: Kind,
    /// The labels that each of its series has.
    pub labels: &'static [Label],
    /// What it says, in one sentence.
    pub help: &'static str,
}

/// How a metric counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only ever more, since the process started.
    Counter,
    /// What is so now.
    Gauge,
    /// How often a value was at most each of these bounds, and the sum of all.
    Histogram(&'static [f64]),
}

/// A label, and which values it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values; none: the routes of the configuration, `*` being what no route matches.
    pub values: &'static [&'static str],
}

const ROUTE: Label = Label { name: "route", values: &[] };

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    bounds: &'static [f64],
    labels: &'static [Label],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(bounds), labels, help }
}

/// What became of a request, in the order of judgement. The label `result` of [`REQUESTS`] and of [`OBSERVED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Result {
    /// It passed untouched: without a key, or where keys mean nothing.
    Passed,
    /// It did not say who sends it.
    Unauthenticated,
    /// It had no key where one is required.
    Missing,
    /// Its key or its body could not be read, or the body was too large.
    Invalid,
    /// Its key stands for another request.
    Mismatch,
    /// The first one's answer was given again.
    Replayed,
    /// The first one's outcome is unknown, or its own is.
    Unknown,
    /// The first one's result is no longer there.
    ResultGone,
    /// Its key is older than keys are remembered.
    KeyExpired,
    /// The first one is still being worked on.
    InProgress,
    /// A bound was reached.
    Capacity,
    /// The ledger could not be used.
    Ledger,
    /// Nothing was sent: the upstream was not reached.
    Unreachable,
    /// It ran, and its answer frees the key.
    Released,
    /// It ran, and its answer is kept.
    Executed,
}

impl Result {
    /// All, in the order of judgement.
    pub const ALL: [Self; 15] = [
        Self::Passed,
        Self::Unauthenticated,
        Self::Missing,
        Self::Invalid,
        Self::Mismatch,
        Self::Replayed,
        Self::Unknown,
        Self::ResultGone,
        Self::KeyExpired,
        Self::InProgress,
        Self::Capacity,
        Self::Ledger,
        Self::Unreachable,
        Self::Released,
        Self::Executed,
    ];

    /// What a refusal counts as.
    pub fn of(refusal: &Problem) -> Self {
        let class = CLASSES.iter().find(|(problem, _)| problem.name == refusal.name);
        class.map_or(Self::Invalid, |(_, class)| *class)
    }

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unauthenticated => "unauthenticated",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Mismatch => "mismatch",
            Self::Replayed => "replayed",
            Self::Unknown => "unknown",
            Self::ResultGone => "result_gone",
            Self::KeyExpired => "key_expired",
            Self::InProgress => "in_progress",
            Self::Capacity => "capacity",
            Self::Ledger => "ledger",
            Self::Unreachable => "unreachable",
            Self::Released => "released",
            Self::Executed => "executed",
        }
    }
}

/// What each refusal of the catalogue counts as.
const CLASSES: &[(Problem, Result)] = &[
    (problem::REQUEST_AMBIGUOUS, Result::Invalid),
    (problem::TOO_EARLY, Result::Invalid),
    (problem::PRINCIPAL_REQUIRED, Result::Unauthenticated),
    (problem::KEY_MISSING, Result::Missing),
    (problem::KEY_INVALID, Result::Invalid),
    (problem::REQUEST_TOO_LARGE, Result::Invalid),
    (problem::REQUEST_INCOMPLETE, Result::Invalid),
    (problem::KEY_REUSED, Result::Mismatch),
    (problem::IN_PROGRESS, Result::InProgress),
    (problem::OUTCOME_UNKNOWN, Result::Unknown),
    (problem::RESULT_EXPIRED, Result::ResultGone),
    (problem::RESULT_UNAVAILABLE, Result::ResultGone),
    (problem::KEY_EXPIRED, Result::KeyExpired),
    (problem::CAPACITY, Result::Capacity),
    (problem::LEDGER_UNAVAILABLE, Result::Ledger),
    (problem::UPSTREAM_UNREACHABLE, Result::Unreachable),
    (problem::NOT_FOUND, Result::Invalid),
];

const RESULT: Label = Label { name: "result", values: &RESULTS };
const RESULTS: [&str; Result::ALL.len()] = {
    let mut values = [""; Result::ALL.len()];
    let mut at = 0;
    while at < values.len() {
        #[expect(clippy::indexing_slicing, reason = "both arrays have the length that the loop ends at")]
        {
            values[at] = Result::ALL[at].as_str();
        }
        at += 1;
    }
    values
};

/// Requests, by what became of them.
pub const REQUESTS: Metric =
    counter("onlyonce_requests_total", &[ROUTE, RESULT], "Requests, by route and what became of them.");
/// Requests of observed routes, by what would have become of them.
pub const OBSERVED: Metric = counter(
    "onlyonce_observed_total",
    &[ROUTE, RESULT],
    "Requests on routes with mode = \"observe\", by what would have become of them.",
);
/// How old keys are when they come again.
pub const KEY_REUSE_AGE: Metric = histogram(
    "onlyonce_key_reuse_age_seconds",
    &[
        0.1,
        1.0,
        5.0,
        30.0,
        60.0,
        300.0,
        1_800.0,
        3_600.0,
        21_600.0,
        43_200.0,
        86_400.0,
        172_800.0,
        345_600.0,
        604_800.0,
        1_209_600.0,
        2_592_000.0,
    ],
    &[],
    "Time from the first claim of a key to a repeat of it.",
);
/// The critical section: how long the ledger does not know what becomes of an operation.
pub const CRITICAL_SECTION: Metric = histogram(
    "onlyonce_critical_section_seconds",
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0],
    &[],
    "Time from a claim acknowledged to its outcome acknowledged: what a crash in between makes unknown.",
);
/// How long repeats wait for the first request.
pub const WAIT: Metric = histogram(
    "onlyonce_wait_seconds",
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
    &[],
    "Time that a repeat waited for the first request's outcome.",
);
/// How long the store takes.
pub const STORE: Metric = histogram(
    "onlyonce_store_seconds",
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5],
    &[Label { name: "operation", values: &["apply", "heads", "body", "open", "sweep", "note", "audit"] }],
    "Time of the store for one call: apply is a batch of writes, made durable.",
);
/// How many commands are written at once.
pub const BATCH_SIZE: Metric = histogram(
    "onlyonce_batch_size",
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
    &[],
    "Commands written in one batch.",
);
/// Records that are in progress or unknown.
pub const OPEN_RECORDS: Metric =
    gauge("onlyonce_open_records", &[], "Records without a known outcome: in progress or unknown.");
/// Records whose outcome nobody knows.
pub const UNKNOWN_RECORDS: Metric =
    gauge("onlyonce_unknown_records", &[ROUTE], "Operations whose outcome is unknown, by route.");
/// Attempts under way.
pub const ATTEMPTS_IN_FLIGHT: Metric = gauge("onlyonce_attempts_in_flight", &[], "Attempts under way.");
/// Repeats that wait.
pub const WAITERS: Metric =
    gauge("onlyonce_waiters", &[], "Repeats that wait for another request's outcome.");
/// The ledger's size.
pub const LEDGER_BYTES: Metric =
    gauge("onlyonce_ledger_bytes", &[], "What the ledger takes up where it is stored.");
/// What went wrong with the store.
pub const LEDGER_ERRORS: Metric = counter(
    "onlyonce_ledger_errors_total",
    &[Label {
        name: "kind",
        values: &["not_applied", "content", "unknown", "poisoned", "newer", "damaged", "vanished"],
    }],
    "Failures of the ledger's store, and records that cannot be read or were lost.",
);
/// What answers said of their operations.
pub const UPSTREAM_OUTCOME: Metric = counter(
    "onlyonce_upstream_outcome_total",
    &[Label { name: "outcome", values: &["kept", "too_large", "released", "unknown"] }],
    "Attempts, by what their answer, or its absence, says of the operation.",
);
/// Unknowns that ended.
pub const SETTLED: Metric = counter(
    "onlyonce_settled_total",
    &[Label { name: "by", values: &["attempt", "probe", "operator", "rerun"] }],
    "Unknown outcomes that became known, by whom: a late answer, the probe, an operator, a re-run.",
);
/// Outcomes that came late.
pub const LATE_OUTCOMES: Metric = counter(
    "onlyonce_late_outcomes_total",
    &[],
    "Outcomes that came after their record was given up. Each one is in the audit.",
);
/// Requests that passed unprotected.
pub const FAIL_OPEN: Metric = counter(
    "onlyonce_fail_open_total",
    &[ROUTE],
    "Keyed requests that passed unprotected because the ledger could not be asked, where the route says so.",
);

/// Callers who are as new as their token.
pub const TOKEN_PRINCIPALS: Metric = counter(
    "onlyonce_token_principals_total",
    &[],
    "Keyed requests whose principal is a JSON Web Token: when it is refreshed, a repeat is another caller's.",
);

/// Every metric, in the order of the reference.
pub const ALL: &[Metric] = &[
    REQUESTS,
    OBSERVED,
    FAIL_OPEN,
    TOKEN_PRINCIPALS,
    UPSTREAM_OUTCOME,
    UNKNOWN_RECORDS,
    OPEN_RECORDS,
    ATTEMPTS_IN_FLIGHT,
    WAITERS,
    SETTLED,
    LATE_OUTCOMES,
    KEY_REUSE_AGE,
    CRITICAL_SECTION,
    WAIT,
    STORE,
    BATCH_SIZE,
    LEDGER_BYTES,
    LEDGER_ERRORS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_prefix_and_unit_and_bounds_rise() {
        for metric in ALL {
            assert_eq!(metric.name.split('_').next(), Some("onlyonce"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted_by(|one, next| one < next), "{}", metric.name);
            }
        }
    }

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    /// A refusal that is added and forgotten here would count as one that could not be read.
    #[test]
    fn every_refusal_of_the_catalogue_counts_as_something_and_only_once() {
        let classed: Vec<_> = CLASSES.iter().map(|(problem, _)| problem.name).collect();
        let catalogue: Vec<_> = problem::CATALOGUE.iter().map(|problem| problem.name).collect();
        assert_eq!(classed, catalogue, "in the order of the catalogue");
        for (problem, class) in CLASSES {
            assert_eq!(Result::of(problem), *class, "{}", problem.name);
        }
    }

    #[test]
    fn every_result_is_a_value_of_the_label_in_its_place() {
        for (at, result) in Result::ALL.into_iter().enumerate() {
            assert_eq!(RESULTS.get(at).copied(), Some(result.as_str()));
            assert_eq!(result as usize, at, "{}", result.as_str());
        }
    }
}
