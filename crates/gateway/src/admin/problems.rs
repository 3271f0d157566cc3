//! The refusals of the operators' listener, as data beside those of `onlyonce_core::problem`.
//!
//! `next` means here: `fix` the request, `check` what stands and decide anew, `same-key` the same request may be sent
//! again, `stop` it will not change.

use onlyonce_core::problem::{Next, Problem};

const fn problem(name: &'static str, status: u16, next: Next, title: &'static str) -> Problem {
    Problem { name, status, retryable: matches!(next, Next::SameKey), next, title }
}

/// `Host` names another server.
pub(super) const MISDIRECTED: Problem =
    problem("misdirected", 421, Next::Fix, "This listener does not go by that name");
/// A web page of somebody else sent it.
pub(super) const FOREIGN_PAGE: Problem =
    problem("foreign-page", 403, Next::Stop, "A web page of another origin may not ask here");
/// The token is missing or wrong.
pub(super) const TOKEN_REQUIRED: Problem =
    problem("token-required", 401, Next::Fix, "The admin listener asks for a token");
/// A change that does not come as JSON.
pub(super) const JSON_REQUIRED: Problem =
    problem("json-required", 415, Next::Fix, "Bodies are taken as application/json only");
/// The body is over the limit.
pub(super) const BODY_TOO_LARGE: Problem =
    problem("request-too-large", 413, Next::Fix, "The body is too large");
/// Path, query or body is not what is asked for.
pub(super) const REQUEST_INVALID: Problem =
    problem("request-invalid", 400, Next::Fix, "The request is not what is asked for here");
/// No such path.
pub(super) const NO_SUCH_CALL: Problem = problem("no-such-call", 404, Next::Fix, "There is no such call");
/// The path knows other methods.
pub(super) const NO_SUCH_METHOD: Problem =
    problem("no-such-method", 405, Next::Fix, "This call has another method");
/// Not ready for traffic.
pub(super) const NOT_READY: Problem = problem("not-ready", 503, Next::SameKey, "The gateway is not ready");
/// The record's row cannot be read.
pub(super) const RECORD_DAMAGED: Problem =
    problem("record-damaged", 500, Next::Stop, "The record is there and cannot be read");

/// Another state or fence stands than was named.
pub(super) const RECORD_MOVED: Problem =
    problem("record-moved", 409, Next::Check, "The operation is not as you saw it");
/// An attempt holds the claim.
pub(super) const RECORD_IN_PROGRESS: Problem =
    problem("record-in-progress", 409, Next::Check, "The operation is in progress");
/// It is not open, so there is nothing to settle.
pub(super) const NOTHING_TO_SETTLE: Problem =
    problem("nothing-to-settle", 409, Next::Check, "The operation has ended");
/// It is open, or the key is free: there is no result to forget.
pub(super) const NOTHING_TO_FORGET: Problem =
    problem("nothing-to-forget", 409, Next::Check, "The operation has no result to forget");
/// *Not applied* may be said later.
pub(super) const SETTLE_TOO_EARLY: Problem =
    problem("settle-too-early", 409, Next::Check, "It is too early to say that it was not applied");
/// *Not applied* may only be forced.
pub(super) const SETTLE_AFTER_MISSING: Problem =
    problem("settle-after-missing", 409, Next::Check, "Nobody said how long the upstream may go on working");

#[cfg(test)]
mod tests {
    use onlyonce_core::problem::CATALOGUE;

    use super::*;

    const ALL: [Problem; 16] = [
        MISDIRECTED,
        FOREIGN_PAGE,
        TOKEN_REQUIRED,
        JSON_REQUIRED,
        BODY_TOO_LARGE,
        REQUEST_INVALID,
        NO_SUCH_CALL,
        NO_SUCH_METHOD,
        NOT_READY,
        RECORD_DAMAGED,
        RECORD_MOVED,
        RECORD_IN_PROGRESS,
        NOTHING_TO_SETTLE,
        NOTHING_TO_FORGET,
        SETTLE_TOO_EARLY,
        SETTLE_AFTER_MISSING,
    ];

    #[test]
    fn one_name_means_one_thing_on_both_listeners() {
        for (index, problem) in ALL.iter().enumerate() {
            let others = ALL[..index].iter().chain(CATALOGUE);
            for other in others.filter(|other| other.name == problem.name) {
                assert_eq!(other.status, problem.status, "{}", problem.name);
            }
            assert!(ALL[..index].iter().all(|other| other.name != problem.name), "{}", problem.name);
        }
    }

    #[test]
    fn every_refusal_is_described_in_the_reference() {
        let reference = include_str!("../../../../docs/reference/admin-api.md");
        for problem in ALL {
            assert!(reference.contains(&format!("`{}`", problem.name)), "{}", problem.name);
        }
    }
}
