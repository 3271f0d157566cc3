//! An operation as the admin API shows it, and the words in which a person reads it.

use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;

/// What the commands need of it; `--json` gives it as it came.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) operation_ref: String,
    pub(super) state: String,
    pub(super) fence: u32,
    pub(super) route: String,
    pub(super) first_attempt_at: String,
    pub(super) attempt_at: String,
    pub(super) since: String,
    pub(super) age_seconds: u64,
    pub(super) cause: Option<String>,
    pub(super) seen_status: Option<u16>,
    pub(super) on_unknown: Option<String>,
    pub(super) settle: Option<MayBe>,
    pub(super) deadline_at: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) by: Option<String>,
    pub(super) until: Option<String>,
    pub(super) result_until: Option<String>,
    pub(super) key_until: Option<String>,
}

/// What may be said of an unknown.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MayBe {
    pub(super) not_applied: bool,
    pub(super) not_applied_from: Option<String>,
}

/// An answer that holds one.
#[derive(Debug, Deserialize)]
pub(super) struct One<T> {
    pub(super) operation: T,
}

/// Where the operation of this name is.
pub(super) fn path(reference: &str) -> String {
    format!("/api/v1/records/{reference}")
}

impl Operation {
    /// Of what the admin API gave.
    pub(super) fn understood(value: &Value) -> Result<Self, Failure> {
        Self::deserialize(value).map_err(|error| {
            Failure::new(format!("the gateway shows an operation that is not understood: {error}"))
        })
    }

    /// `unknown`, with its cause, or `completed 201`.
    pub(super) fn standing(&self) -> String {
        let detail = self.cause.clone().or_else(|| self.status.map(|status| status.to_string()));
        detail.map_or_else(|| self.state.clone(), |detail| format!("{} {detail}", self.state))
    }

    /// On one line, for whoever is about to decide.
    pub(super) fn line(&self) -> String {
        let Self { operation_ref, fence, route, age_seconds, .. } = self;
        format!("{operation_ref}  {}, fence {fence}, {route}, for {}", self.standing(), age(*age_seconds))
    }

    /// As what it can be settled now, and from when as what else.
    pub(super) fn settles_as(&self) -> String {
        match (&self.settle, &self.deadline_at) {
            (Some(MayBe { not_applied: true, .. }), _) => "applied, not-applied".to_owned(),
            (Some(MayBe { not_applied_from: Some(from), .. }), _) => {
                format!("applied; not-applied from {}", self.short(from))
            }
            (Some(_), _) => "applied; not-applied with --force".to_owned(),
            (None, Some(deadline)) => format!("wait, until {} at most", self.short(deadline)),
            (None, None) => String::new(),
        }
    }

    /// A time without its date if that is the day on which the state began.
    fn short<'a>(&self, time: &'a str) -> &'a str {
        match (time.split_once('T'), self.since.split_once('T')) {
            (Some((day, of_day)), Some((today, _))) if day == today => of_day,
            _ => time,
        }
    }
}

/// A duration in its two largest units.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// What a cause means, for who does not meet it every day.
pub(super) fn meaning(state: &str, cause: &str) -> &'static str {
    match (state, cause) {
        ("unknown", "answer-lost") => "bytes were sent, and the answer broke off or never came",
        ("unknown", "deadline") => "the upstream did not answer in time",
        ("unknown", "lapsed") => "nobody renewed the lease",
        ("unknown", "process-gone") => "the gateway died while it was under way",
        ("unknown", "answered") => "the upstream answered that it does not know either",
        ("unknown", "handler") => "the upstream or its handler said so itself, or the handler panicked",
        ("unknown", "drained") => "the gateway was stopped while it was under way",
        ("unknown", "rerun-refused") => {
            "a re-run was refused; the outcome of the attempt before it is still unknown"
        }
        ("released", "not-started") => "the attempt ended before it began",
        ("released", "not-sent") => "the upstream was not reached",
        ("released", "answered") => "the upstream answered that it did nothing",
        ("released", "handler") => "the upstream or its handler said so itself",
        ("released", "settled-by-operator" | "settled-by-probe") => "settled as not applied",
        ("tombstone", "too-large") => "the result was too large to keep",
        ("tombstone", "expired") => "the result's retention is over",
        ("tombstone", "forgotten") => "an operator removed the result",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_at_a_glance() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 00s"),
            (192, "3m 12s"),
            (3_599, "59m 59s"),
            (3_720, "1h 02m"),
            (86_400, "1d 00h"),
            (900_000, "10d 10h"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }
}
