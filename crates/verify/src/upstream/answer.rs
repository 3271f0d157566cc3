//! What the application answers where no script says otherwise.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Act, Arrival, pieces::Pieces};
use crate::plan::Part;

/// How long an operation that takes long works before its effect, and after it again.
const SLOW: Duration = Duration::from_millis(600);
/// How large a large answer is.
const LARGE: usize = 12 * 1024 * 1024;

/// What an operation of this part comes to; `None`: one that is not known.
pub(super) fn usual(part: Option<Part>, arrival: &Arrival) -> Act {
    let safe = matches!(arrival.method, Method::GET | Method::HEAD | Method::OPTIONS);
    match part {
        Some(Part::Slow) => Act::usual().working(SLOW).lingering(SLOW),
        Some(Part::Fails) => problem(Act::answered(StatusCode::INTERNAL_SERVER_ERROR), "It failed"),
        Some(Part::Refused) => problem(Act::refused(StatusCode::UNPROCESSABLE_ENTITY), "It is refused"),
        Some(Part::Large) => Act::usual().with_body(large()),
        Some(Part::Create | Part::Read | Part::Resource) | None if safe => list(),
        Some(Part::Create | Part::Read | Part::Resource) | None => Act::usual(),
    }
}

/// Nobody is known to ask.
pub(super) fn unauthorised() -> Act {
    let act = Act::refused(StatusCode::UNAUTHORIZED)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    problem(act, "Nobody is known to ask")
}

/// A document, or that there is none.
pub(super) fn document((status, headers, body): (StatusCode, HeaderMap, Bytes)) -> Act {
    let act = Act::refused(status).with_body(body);
    headers.into_iter().fold(act, |act, (name, value)| match name {
        Some(name) => act.with_header(name, value),
        None => act,
    })
}

/// The answer of an act whose effect has this number.
pub(super) fn response(act: &Act, effect: Option<u64>) -> Response<Pieces> {
    let body = act.body.clone().unwrap_or_else(|| named(effect));
    let mut response = Response::new(Pieces::new(body, act));
    *response.status_mut() = act.status;
    let headers = response.headers_mut();
    headers.extend(act.headers.clone());
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let (Some(effect), true) = (effect, act.status.is_success()) else { return response };
    let text = |text: String| HeaderValue::try_from(text).expect("a number is ASCII");
    headers.entry(header::LOCATION).or_insert_with(|| text(format!("/transfers/{effect}")));
    headers.entry(header::SET_COOKIE).or_insert_with(|| text(format!("session=s{effect}; Path=/; HttpOnly")));
    response
}

fn named(effect: Option<u64>) -> Bytes {
    let body = effect.map_or_else(|| json!({}), |effect| json!({"effect": effect, "state": "applied"}));
    body.to_string().into()
}

fn list() -> Act {
    Act::refused(StatusCode::OK).with_body(Value::Array(Vec::new()).to_string())
}

/// A problem document (RFC 9457).
fn problem(act: Act, title: &str) -> Act {
    let body = json!({"title": title, "status": act.status.as_u16()});
    act.with_header(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
        .with_body(body.to_string())
}

/// A JSON document with numbers in it, so that no coding makes it small and a lost piece shows.
fn large() -> Bytes {
    let mut body = String::with_capacity(LARGE + 64);
    body.push('[');
    for number in 0.. {
        if body.len() >= LARGE {
            break;
        }
        if number > 0 {
            body.push(',');
        }
        body.push_str(&number.to_string());
    }
    body.push(']');
    body.into()
}
