//! What a layer of our own kind says from within: a gateway behind this one, or a middleware in the upstream.
//!
//! That it is still at work, or that it does not know, is not the operation's answer, whatever its status: kept, it would
//! be replayed until the result's retention ends. That it has done nothing for this request frees the key, but only if
//! the answer echoes the key that went to it: a service that ran, and hands on such a document from one of *its*
//! upstreams, has done something. Its other refusals mean what their status says.

use http::{HeaderMap, HeaderValue, header};
use onlyonce_core::{
    outcome::Inner,
    problem::{
        CAPACITY, IN_PROGRESS, LEDGER_UNAVAILABLE, OUTCOME_UNKNOWN, Problem, UPSTREAM_UNREACHABLE, URN_BASE,
    },
};
use serde_json::Value;

use crate::headers;

/// Larger documents are not ours.
pub(crate) const DOCUMENT_LIMIT: usize = 64 * 1024;

const UNKNOWN: [Problem; 2] = [IN_PROGRESS, OUTCOME_UNKNOWN];
const NOT_DONE: [Problem; 3] = [CAPACITY, LEDGER_UNAVAILABLE, UPSTREAM_UNREACHABLE];

/// What the problems of a layer are named by, and the key that went to it.
#[derive(Debug)]
pub(crate) struct Addressed<'a> {
    /// What the `type` of a problem document may begin with, besides the usual.
    pub(crate) base: &'a str,
    /// The key as it was sent on.
    pub(crate) key: Option<&'a HeaderValue>,
}

/// What such a layer says in an answer.
pub(crate) fn word(headers: &HeaderMap, body: &[u8], addressed: &Addressed<'_>) -> Option<Inner> {
    if !is_problem(headers) || body.len() > DOCUMENT_LIMIT {
        return None;
    }
    let document: Value = serde_json::from_slice(body).ok()?;
    let full = document.get("type")?.as_str()?;
    let name = full.strip_prefix(URN_BASE).or_else(|| full.strip_prefix(addressed.base))?;
    let is_one_of = |problems: &[Problem]| problems.iter().any(|problem| problem.name == name);
    let echoed = addressed.key.is_some() && headers.get(headers::KEY) == addressed.key;
    if is_one_of(&UNKNOWN) {
        Some(Inner::Unknown)
    } else {
        (echoed && is_one_of(&NOT_DONE)).then_some(Inner::NotDone)
    }
}

/// Whether the answer is a problem document (RFC 9457).
pub(crate) fn is_problem(headers: &HeaderMap) -> bool {
    headers::is_of_type(headers, header::CONTENT_TYPE, "application/problem+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = "application/problem+json";

    fn document(name: &str) -> String {
        format!("{{\"type\":\"urn:problem-type:onlyonce:{name}\",\"status\":409}}")
    }

    fn says(media: &'static str, echo: Option<&'static str>, body: &str) -> Option<Inner> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        headers.extend(echo.map(|key| (headers::KEY, HeaderValue::from_static(key))));
        let key = HeaderValue::from_static("\"k\"");
        let addressed = Addressed { base: "https://api.example/problems/", key: Some(&key) };
        word(&headers, body.as_bytes(), &addressed)
    }

    #[test]
    fn only_our_own_word_for_unknown_in_a_problem_document_counts() {
        for name in ["in-progress", "outcome-unknown"] {
            assert_eq!(says(PROBLEM, None, &document(name)), Some(Inner::Unknown));
            let ours = document(name).replace(URN_BASE, "https://api.example/problems/");
            assert_eq!(says("Application/Problem+JSON; charset=utf-8", None, &ours), Some(Inner::Unknown));
            assert_eq!(says("application/json", None, &document(name)), None);
            let theirs = document(name).replace(URN_BASE, "https://orders.example/");
            assert_eq!(says(PROBLEM, None, &theirs), None);
        }
        assert_eq!(says(PROBLEM, None, &document("result-expired")), None);
        assert_eq!((says(PROBLEM, None, "in-progress"), says(PROBLEM, None, "")), (None, None));
    }

    /// A service that charged the card, and then hands on its own upstream's *capacity*, must not be run again.
    #[test]
    fn only_a_layer_that_echoes_the_key_is_believed_that_it_did_nothing() {
        for name in ["capacity", "ledger-unavailable", "upstream-unreachable"] {
            assert_eq!(says(PROBLEM, Some("\"k\""), &document(name)), Some(Inner::NotDone), "{name}");
            assert_eq!(says(PROBLEM, Some("\"k-2\""), &document(name)), None, "{name}");
            assert_eq!(says(PROBLEM, None, &document(name)), None, "{name}");
        }
        assert_eq!(says(PROBLEM, Some("\"k\""), &document("key-reused")), None);
    }

    #[test]
    fn where_no_key_was_sent_none_is_echoed() {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM))].into_iter().collect();
        let addressed = Addressed { base: URN_BASE, key: None };
        assert_eq!(word(&headers, document("capacity").as_bytes(), &addressed), None);
        assert_eq!(word(&headers, document("in-progress").as_bytes(), &addressed), Some(Inner::Unknown));
    }
}
