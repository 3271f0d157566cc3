//! What an answer to a probe says.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use onlyonce_core::json::Pointer;
use onlyonce_http::stored::Stored;
use serde_json::Value;

use super::question::Question;

/// What an answer says of its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It took effect, and this is what repeats get.
    Applied(Box<Stored>),
    /// There is nothing of this name.
    Absent,
    /// Nothing that settles it.
    Nothing(StatusCode),
    /// The upstream is in trouble itself.
    Trouble(StatusCode),
}

/// Reads an answer. A redirect is none: it would be followed with our credential.
pub(super) fn read(question: &Question, answer: Response<Bytes>) -> Said {
    match answer.status() {
        StatusCode::OK if stands(question, answer.body()) => {
            Said::Applied(Box::new(result(question, answer)))
        }
        StatusCode::NOT_FOUND => Said::Absent,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Said::Trouble(status)
        }
        status => Said::Nothing(status),
    }
}

/// Whether the state that the body tells does not change any more.
fn stands(question: &Question, body: &[u8]) -> bool {
    let Some(stands) = &question.stands else { return true };
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    at(&value, &stands.pointer).is_some_and(|state| stands.values.contains(state))
}

fn at<'v>(value: &'v Value, pointer: &Pointer) -> Option<&'v Value> {
    pointer.steps().try_fold(value, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The configured status with what the upstream says of the operation, and of its headers those that speak of that.
fn result(question: &Question, answer: Response<Bytes>) -> Stored {
    let (parts, body) = answer.into_parts();
    let speaking =
        [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::LOCATION];
    let headers = parts.headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let headers = headers.filter(|(name, _)| speaking.contains(name)).collect();
    if question.store_body {
        Stored::keep((question.status, &headers), body, None, &question.drop)
    } else {
        Stored::keep_bare(question.status, &headers, &question.drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn question(lines: &str) -> Question {
        let text = format!(
            "[[route]]\nmatch = \"POST /t\"\non_unknown = \"probe\"\nsettle_after = \"1s\"\n[route.probe]\n\
             url = \"/by/{{operation_ref}}\"\nstatus = 201\n{lines}"
        );
        let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
        super::super::questions(&config, &std::collections::BTreeMap::new())
            .unwrap()
            .remove("POST /t")
            .unwrap()
    }

    fn answer(status: u16, body: &'static str) -> Response<Bytes> {
        let answer = Response::builder().status(status).header("content-type", "application/json");
        let answer = answer.header("etag", "x").header("set-cookie", "session=1").header("location", "/t/1");
        answer.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn only_a_state_that_stands_settles_as_applied() {
        let question = question("final = { pointer = \"/state/0\", values = [\"settled\", 7] }");
        for (body, applied) in [
            (r#"{"state":["settled"]}"#, true),
            (r#"{"state":[7]}"#, true),
            (r#"{"state":["processing"]}"#, false),
            (r#"{"state":[]}"#, false),
            (r#"{"state":"settled"}"#, false),
            ("settled", false),
            ("", false),
        ] {
            let said = read(&question, answer(200, body));
            assert_eq!(matches!(said, Said::Applied(_)), applied, "{body}: {said:?}");
        }
    }

    #[test]
    fn repeats_get_the_configured_status_the_body_and_no_header_that_speaks_of_something_else() {
        let Said::Applied(stored) = read(&question(""), answer(200, "{}")) else {
            panic!("without `final`, each 200 does")
        };
        assert_eq!((stored.status.as_u16(), &stored.body[..]), (201, &b"{}"[..]));
        let mut names: Vec<_> = stored.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "location"]);
    }

    #[test]
    fn nothing_else_settles() {
        let question = question("");
        assert_eq!(read(&question, answer(404, "")), Said::Absent);
        for status in [201, 202, 204, 301, 302, 307, 400, 401, 403, 405, 410] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(&question, answer(status.as_u16(), "{}")), Said::Nothing(status));
        }
        for status in [429, 500, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(&question, answer(status.as_u16(), "{}")), Said::Trouble(status));
        }
    }
}
