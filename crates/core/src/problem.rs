//! The catalogue of refusals: every problem type that Onlyonce answers with, as data (RFC 9457).
//!
//! Invariant: the text never holds a key, a body or a credential. Which refusal a request meets is decided
//! elsewhere; what it says and what the caller may do next is decided here.

/// What the caller may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the same bytes with the same key again; may be automatic.
    SameKey,
    /// Ask what became of the operation; may be automatic.
    Poll,
    /// A person compares what was sent with what the key stands for.
    Check,
    /// A programmer repairs the request.
    Fix,
    /// Nothing; the answer will not change.
    Stop,
}

impl Next {
    /// The word in the document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameKey => "same-key",
            Self::Poll => "poll",
            Self::Check => "check",
            Self::Fix => "fix",
            Self::Stop => "stop",
        }
    }
}

/// One kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The last part of the `type` URN.
    pub name: &'static str,
    /// The usual status.
    pub status: u16,
    /// A title for people.
    pub title: &'static str,
    /// Whether sending the same bytes again will help.
    pub retryable: bool,
    /// What to do.
    pub next: Next,
}

const fn problem(
    name: &'static str,
    status: u16,
    retryable: bool,
    next: Next,
    title: &'static str,
) -> Problem {
    Problem { name, status, title, retryable, next }
}

/// An attempt holds the claim.
pub const IN_PROGRESS: Problem =
    problem("in-progress", 409, true, Next::SameKey, "The first request is still being worked on");
/// The key stands for another request.
pub const KEY_REUSED: Problem =
    problem("key-reused", 422, false, Next::Check, "This key already stands for another request");
/// A key is required and absent.
pub const KEY_MISSING: Problem =
    problem("key-missing", 400, false, Next::Fix, "An Idempotency-Key is required");
/// The key cannot be read.
pub const KEY_INVALID: Problem =
    problem("key-invalid", 400, false, Next::Fix, "The Idempotency-Key is not valid");
/// The request can be read in more than one way.
pub const REQUEST_AMBIGUOUS: Problem =
    problem("request-ambiguous", 400, false, Next::Fix, "The request can be read in more than one way");
/// The body is too large to fingerprint.
pub const REQUEST_TOO_LARGE: Problem =
    problem("request-too-large", 413, false, Next::Fix, "The request is too large for a keyed request");
/// The body did not arrive whole or in time.
pub const REQUEST_INCOMPLETE: Problem =
    problem("request-incomplete", 400, true, Next::SameKey, "The request did not arrive whole");
/// Nobody can say who is asking.
pub const PRINCIPAL_REQUIRED: Problem =
    problem("principal-required", 401, false, Next::Fix, "A keyed request needs to say who sends it");
/// The outcome is unknown.
pub const OUTCOME_UNKNOWN: Problem =
    problem("outcome-unknown", 409, false, Next::Poll, "Nobody knows yet whether this took effect");
/// The result's retention has ended, or it was forgotten.
pub const RESULT_EXPIRED: Problem =
    problem("result-expired", 409, false, Next::Stop, "The result is no longer kept");
/// The result is too large to keep, or damaged.
pub const RESULT_UNAVAILABLE: Problem =
    problem("result-unavailable", 409, false, Next::Stop, "The result cannot be shown again");
/// The key may be older than what is remembered, and nothing is on record for it.
pub const KEY_EXPIRED: Problem =
    problem("key-expired", 409, false, Next::Stop, "The key may be older than what is remembered");
/// The ledger cannot be reached.
pub const LEDGER_UNAVAILABLE: Problem =
    problem("ledger-unavailable", 503, true, Next::SameKey, "The ledger cannot be reached");
/// A bound is reached.
pub const CAPACITY: Problem = problem("capacity", 503, true, Next::SameKey, "Too much is going on at once");
/// The upstream was not reached; nothing was sent.
pub const UPSTREAM_UNREACHABLE: Problem =
    problem("upstream-unreachable", 502, true, Next::SameKey, "The upstream was not reached");
/// Early data on an unsafe keyed request (RFC 8470).
pub const TOO_EARLY: Problem =
    problem("too-early", 425, true, Next::SameKey, "This request may not be sent as early data");
/// No operation of this name, or not the caller's.
pub const NOT_FOUND: Problem = problem("not-found", 404, false, Next::Stop, "There is no such operation");

/// All of them, in the order in which they are judged where that matters.
pub const CATALOGUE: &[Problem] = &[
    REQUEST_AMBIGUOUS,
    TOO_EARLY,
    PRINCIPAL_REQUIRED,
    KEY_MISSING,
    KEY_INVALID,
    REQUEST_TOO_LARGE,
    REQUEST_INCOMPLETE,
    KEY_REUSED,
    IN_PROGRESS,
    OUTCOME_UNKNOWN,
    RESULT_EXPIRED,
    RESULT_UNAVAILABLE,
    KEY_EXPIRED,
    CAPACITY,
    LEDGER_UNAVAILABLE,
    UPSTREAM_UNREACHABLE,
    NOT_FOUND,
];

/// The usual base of `type`.
pub const URN_BASE: &str = "urn:problem-type:onlyonce:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_same_key_is_worth_sending_again() {
        for problem in CATALOGUE {
            assert_eq!(problem.retryable, problem.next == Next::SameKey, "{}", problem.name);
        }
    }

    #[test]
    fn names_are_unique() {
        for (index, problem) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[..index].iter().all(|other| other.name != problem.name), "{}", problem.name);
        }
    }
}
