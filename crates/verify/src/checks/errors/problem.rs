//! Problem documents (RFC 9457).

use http::{StatusCode, header};
use serde_json::Value;

use super::refusals;
use crate::{
    call::Answer,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn missing(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let Some(source) = trial.profile().problem_documents else {
        return Ok(Verdict::pass("the profile asks for no problem documents"));
    };
    let refusals = refusals::all(trial).await?;
    // Who demands a credential says so in his own way, and the draft does not speak of it.
    let refusals: Vec<_> =
        refusals.into_iter().filter(|(what, _)| *what != refusals::NO_CREDENTIAL).collect();
    if refusals.is_empty() {
        return Err(Stop::not_observable("nothing is refused but a request without a credential"));
    }
    let is_told = |answer: &Answer| is_problem(answer) || is_xml(answer) || is_described(answer);
    Ok(match refusals.iter().find(|(_, answer)| !is_told(answer)) {
        None => Verdict::pass(format!("{} refusals, all of them problem documents", refusals.len())),
        Some((what, answer)) => Verdict::fail(
            format!("content-type: application/problem+json, or a link that describes it ({source})"),
            format!("{what}: {}, content-type: {}", answer.status.as_u16(), content_type(answer)),
        ),
    })
}

pub(super) async fn disagrees(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let refusals = refusals::all(trial).await?;
    let problems: Vec<_> = refusals.iter().filter(|(_, answer)| is_problem(answer)).collect();
    if problems.is_empty() {
        return Err(Stop::not_observable("no refusal is a problem document"));
    }
    let fault = problems.iter().find_map(|(what, answer)| Some((what, fault(answer)?)));
    Ok(match fault {
        None => Verdict::pass(format!("{} problem documents agree with their statuses", problems.len())),
        Some((what, (expected, actual))) => Verdict::fail(expected, format!("{what}: {actual}")),
    })
}

/// What a problem document says that it must not, and what it should.
fn fault(answer: &Answer) -> Option<(String, String)> {
    let Some(Value::Object(said)) = answer.json() else {
        return Some(("a JSON object".to_owned(), answer.to_string()));
    };
    if let Some(status) = said.get("status").filter(|status| **status != answer.status.as_u16()) {
        return Some((format!("\"status\": {}", answer.status.as_u16()), format!("\"status\": {status}")));
    }
    let text = |name: &str| said.get(name).filter(|value| !value.is_string());
    if let Some((name, value)) = ["type", "title", "detail"].iter().find_map(|name| Some((name, text(name)?)))
    {
        return Some((format!("{name:?} is a string"), format!("{name:?}: {value}")));
    }
    let (kind, title) = (said.get("type").and_then(Value::as_str), said.get("title").and_then(Value::as_str));
    let phrase = phrase(answer.status)?;
    let earlier = answer.status.canonical_reason()?;
    let is_blank = kind.is_none_or(|kind| kind == "about:blank");
    let is_named = |title: &str| [phrase, earlier].iter().any(|phrase| title.eq_ignore_ascii_case(phrase));
    let title = title.filter(|title| is_blank && !is_named(title))?;
    Some((
        format!("without a type of its own its title is {phrase:?}, the name of its status"),
        format!("\"title\": {title:?}"),
    ))
}

/// The name of a status in RFC 9110, section 15, which renamed two that libraries still know by their earlier names.
fn phrase(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some("Content Too Large"),
        StatusCode::UNPROCESSABLE_ENTITY => Some("Unprocessable Content"),
        other => other.canonical_reason(),
    }
}

fn is_problem(answer: &Answer) -> bool {
    content_type(answer).eq_ignore_ascii_case("application/problem+json")
}

/// The same in XML (RFC 9457, appendix B): it is one, and not read here.
fn is_xml(answer: &Answer) -> bool {
    content_type(answer).eq_ignore_ascii_case("application/problem+xml")
}

/// Whether a `Link` names what describes it, as the draft allows in place of a document.
fn is_described(answer: &Answer) -> bool {
    // The draft asks for a body with a link to the documentation, and allows for one in the head.
    let body = String::from_utf8_lossy(&answer.body);
    let links = ["https://", "http://"].iter().any(|scheme| body.contains(scheme));
    links || answer.header(header::LINK.as_str()).is_some_and(|link| link.contains("describedby"))
}

fn content_type(answer: &Answer) -> &str {
    let line = answer.header(header::CONTENT_TYPE.as_str()).unwrap_or("(absent)");
    line.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn answer(title: &str) -> Answer {
        let kind = HeaderValue::from_static("application/problem+json");
        let body = format!("{{\"status\":422,\"title\":{title:?}}}");
        Answer {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]),
            body: body.into(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_link_leads_to_a_page() {
        for (body, described) in [("see https://example.com/keys", true), ("redis://10.0.0.1 is down", false)]
        {
            assert_eq!(is_described(&Answer { body: body.into(), ..answer("") }), described, "{body}");
        }
    }

    /// RFC 9110 renamed it; who still has the earlier name is not at fault either.
    #[test]
    fn a_title_is_the_name_of_its_status_in_either_edition() {
        for title in ["Unprocessable Content", "Unprocessable Entity"] {
            assert_eq!(fault(&answer(title)), None, "{title}");
        }
        assert!(fault(&answer("Conflict")).is_some());
    }
}
