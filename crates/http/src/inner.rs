//! What a layer of our own kind says from within: a gateway behind this one, or a middleware in the upstream.
//!
//! That it is still at work, or that it does not know, is not the operation's answer, whatever its status: kept, it would
//! be replayed until the result's retention ends. Its other refusals mean what their status says.

use http::{HeaderMap, HeaderValue, header};
use onlyonce_core::problem::{IN_PROGRESS, OUTCOME_UNKNOWN, URN_BASE};
use serde_json::Value;

/// Larger documents are not ours.
const DOCUMENT_LIMIT: usize = 64 * 1024;

/// Whether an answer is such a layer's *in progress* or *outcome unknown*.
pub(crate) fn is_in_doubt(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_problem = headers.get(header::CONTENT_TYPE).is_some_and(is_problem);
    is_problem && body.len() <= DOCUMENT_LIMIT && names_doubt(body)
}

fn is_problem(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/problem+json")
}

fn names_doubt(body: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(body) else { return false };
    let name = document.get("type").and_then(Value::as_str).and_then(|name| name.strip_prefix(URN_BASE));
    name.is_some_and(|name| [IN_PROGRESS.name, OUTCOME_UNKNOWN.name].contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_word_for_doubt_in_a_problem_document_counts() {
        let says = |media: &'static str, body: &str| {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(media))].into_iter().collect();
            is_in_doubt(&headers, body.as_bytes())
        };
        let problem = "application/problem+json";
        let doubt = r#"{"type":"urn:problem-type:onlyonce:in-progress","status":409}"#;
        assert!(says(problem, doubt));
        assert!(says(
            "Application/Problem+JSON; charset=utf-8",
            &doubt.replace("in-progress", "outcome-unknown")
        ));
        assert!(!says("application/json", doubt));
        assert!(!says(problem, &doubt.replace("in-progress", "result-expired")));
        assert!(!says(problem, &doubt.replace("urn:problem-type:onlyonce:", "https://orders.example/")));
        assert!(!says(problem, "in-progress") && !says(problem, ""));
    }
}
