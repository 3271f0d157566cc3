//! What is expected where systems differ: statuses, markers, forms.
//!
//! A profile is data. Each rule names its source, and says which other answers are somebody else's practice: those
//! deviate by design, and are no fault, as long as nothing is done twice and nothing is lost.

mod ietf;
mod lenient;
mod stripe;

use http::StatusCode;

use crate::{plan::Form, verdict::Verdict};

/// Whose expectations an API is held to.
#[derive(Debug)]
pub struct Profile {
    /// Its name on the command line.
    pub name: &'static str,
    /// In one sentence.
    pub about: &'static str,
    /// How a key is written in a header.
    pub form: Form,
    /// A key is required, and there is none.
    pub missing: Expect,
    /// A key that is none: empty, too long, not ASCII, two of them.
    pub invalid: Expect,
    /// Same key, other request.
    pub mismatch: Expect,
    /// The first request still runs, and the repeat does not wait.
    pub in_progress: Expect,
    /// A header that marks a replay, with the value it has; `None`: none is asked for.
    pub marker: Option<Marker>,
    /// Whether errors are problem documents (RFC 9457); the source of that.
    pub problem_documents: Option<&'static str>,
    /// Whether who is told to wait is told for how long; the source of that, which no status demands.
    pub retry_after: Option<&'static str>,
}

/// Which statuses are expected.
#[derive(Debug)]
pub struct Expect {
    /// Any of these.
    pub statuses: &'static [u16],
    /// Who says so.
    pub source: &'static str,
    /// Others that are somebody's documented practice, and whose.
    pub elsewhere: &'static [(u16, &'static str)],
}

/// A header by which a replay is known.
#[derive(Debug)]
pub struct Marker {
    /// Its name.
    pub header: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Who says so.
    pub source: &'static str,
}

impl Profile {
    /// All of them.
    pub const ALL: &[&Self] = &[&ietf::PROFILE, &stripe::PROFILE, &lenient::PROFILE];

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|profile| profile.name == name).copied()
    }
}

impl Profile {
    /// The header by which a replay can be known, where the profile asks for none: the one that is most in use.
    pub(crate) fn known_marker(&self) -> &Marker {
        self.marker.as_ref().unwrap_or(&Marker::USUAL)
    }
}

impl Marker {
    /// As Stripe and others have it.
    pub(crate) const USUAL: Self = Self {
        header: "idempotent-replayed",
        value: "true",
        source: "Stripe, Advanced error handling: Idempotent-Replayed",
    };
}

impl Expect {
    /// Judges the status of an answer to what was done, such as "a repeat with another body".
    #[must_use]
    pub fn judge(&self, what: &str, status: StatusCode) -> Verdict {
        let actual = format!("{what} was answered with {}", status.as_u16());
        if self.statuses.contains(&status.as_u16()) {
            return Verdict::pass(actual);
        }
        let expected = format!("{} ({})", self.listed(), self.source);
        match self.elsewhere.iter().find(|(other, _)| *other == status.as_u16()) {
            Some((_, like)) => Verdict::Deviates { expected, actual, like: (*like).to_owned() },
            None => Verdict::fail(expected, actual),
        }
    }

    /// Whether it is one of these statuses, or somebody's documented practice.
    #[must_use]
    pub fn knows(&self, status: StatusCode) -> bool {
        let elsewhere = self.elsewhere.iter().map(|(status, _)| status);
        self.statuses.iter().chain(elsewhere).any(|known| *known == status.as_u16())
    }

    /// The statuses for a reader: `409 or 422`.
    #[must_use]
    pub fn listed(&self) -> String {
        let all: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
        all.join(" or ")
    }
}
