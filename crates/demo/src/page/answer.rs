//! What came back for a classic form, as HTML: the words for it, status, headers, body.
//!
//! With scripts the page lists its requests by itself, and this stays empty.

use std::error::Error as _;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};

use super::network::Delivery;
use super::template::{Html, fill, text};

/// Headers that tell the story.
const SHOWN: [&str; 6] = [
    "idempotency-status",
    "idempotent-replayed",
    "idempotency-key",
    "idempotency-expires",
    "retry-after",
    "location",
];

const TEMPLATE: &str = include_str!("../../assets/answer.html");

/// The status of the page that shows this, and what it shows.
pub(crate) fn answer(delivery: &Delivery) -> (StatusCode, Html) {
    match delivery {
        Delivery::Answered(answer) => (answer.status(), answered(answer)),
        Delivery::Lost => (StatusCode::GATEWAY_TIMEOUT, lost()),
        Delivery::Failed(error) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            (StatusCode::BAD_GATEWAY, block("Nobody answered.", "no answer", "", &cause))
        }
    }
}

fn answered(answer: &Response<Bytes>) -> Html {
    let body = String::from_utf8_lossy(answer.body());
    block(&words(answer), &answer.status().to_string(), &shown(answer.headers()), &body)
}

fn lost() -> Html {
    let words = "The bank got the request, but the answer was lost on its way. \
        Reload this page to send the same form again, as most people would.";
    block(words, "no answer", "", "")
}

fn block(words: &str, status: &str, headers: &str, body: &str) -> Html {
    let parts = [("words", words), ("status", status), ("headers", headers), ("body", body)];
    fill(TEMPLATE, &parts.map(|(slot, part)| (slot, text(part))))
}

/// What happened, in a sentence. A problem document brings its own.
fn words(answer: &Response<Bytes>) -> String {
    if answer.headers().contains_key("idempotent-replayed") {
        return "The first answer again, word for word. The bank was not asked, nothing more was paid."
            .into();
    }
    if answer.status().is_success() {
        return "Paid. Now reload this page and let the browser send the form again.".into();
    }
    let problem = serde_json::from_slice::<serde_json::Value>(answer.body()).unwrap_or_default();
    let said = ["detail", "error", "title"].into_iter().find_map(|member| problem.get(member)?.as_str());
    said.unwrap_or("Refused.").to_owned()
}

fn shown(headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| (header::CONTENT_TYPE.as_str(), value));
    let told = SHOWN.into_iter().filter_map(|name| Some((name, headers.get(name)?)));
    let lines = told.chain(content_type).map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        format!("{name}: {value}\n")
    });
    lines.collect()
}
