//! In what two requests' parameters differ, without a word about how.

use super::redaction::MASK;
use crate::json::{self, Object, Value};

/// The most differences that are named; the rest of a body that has nothing in common is not.
pub const MAX_DIFFERENCES: usize = 32;

/// Where two documents of [`parameters`](super::parameters) differ: `method`, `path`, `query`, `body` (where it is a
/// whole that differs), and JSON pointers (RFC 6901) into the body, such as `/amount`.
///
/// Compared exactly and by value: `1.0` does not differ from `1`. Names only, never a value, and at most
/// [`MAX_DIFFERENCES`] of them. A hidden member equals whatever stands in its place, and neither authority, content
/// type nor headers are in the documents, so the list may be empty though the requests are not the same. It is empty
/// too if a document cannot be read: nothing is claimed that was not seen.
pub fn differs(accepted: &[u8], now: &[u8]) -> Vec<String> {
    match (json::parse(accepted), json::parse(now)) {
        (Some(Value::Object(accepted)), Some(Value::Object(now))) => documents(&accepted, &now),
        _ => Vec::new(),
    }
}

fn documents(accepted: &Object<'_>, now: &Object<'_>) -> Vec<String> {
    let same = |name: &str| accepted.get(name) == now.get(name);
    let fields = [("method", "method_digest"), ("path", "path_digest"), ("query", "query_digest")];
    let differing = fields.into_iter().filter(|(shown, digest)| !same(shown) || !same(digest));
    let mut found =
        Found { names: differing.map(|(shown, _)| shown.to_owned()).collect(), pointer: String::new() };
    match (accepted.get("body"), now.get("body")) {
        (Some(accepted), Some(now)) => found.values(accepted, now),
        // The length is that of the spelling and does not count.
        (None, None) if digest(accepted) == digest(now) => {}
        _ => found.here(),
    }
    found.names
}

fn digest<'v, 'a>(document: &'v Object<'a>) -> Option<&'v Value<'a>> {
    match document.get("body_digest")? {
        Value::Object(body) => body.get("digest"),
        _ => None,
    }
}

struct Found {
    names: Vec<String>,
    /// Where the walk through the body stands.
    pointer: String,
}

impl Found {
    fn values(&mut self, accepted: &Value<'_>, now: &Value<'_>) {
        match (accepted, now) {
            (Value::String(mask), _) | (_, Value::String(mask)) if mask == MASK => {}
            (Value::Object(accepted), Value::Object(now)) => self.objects(accepted, now),
            (Value::Array(accepted), Value::Array(now)) => self.arrays(accepted, now),
            (accepted, now) if accepted == now => {}
            _ => self.here(),
        }
    }

    fn objects(&mut self, accepted: &Object<'_>, now: &Object<'_>) {
        for member in accepted.sorted() {
            self.at(&member.name, Some(&member.value), now.get(&member.name));
        }
        for member in now.sorted() {
            if accepted.get(&member.name).is_none() {
                self.at(&member.name, None, Some(&member.value));
            }
        }
    }

    fn arrays(&mut self, accepted: &[Value<'_>], now: &[Value<'_>]) {
        for index in 0..accepted.len().max(now.len()) {
            self.at(&index.to_string(), accepted.get(index), now.get(index));
        }
    }

    /// Goes one step down, to a member or an item that at least one side has.
    fn at(&mut self, step: &str, accepted: Option<&Value<'_>>, now: Option<&Value<'_>>) {
        let before = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        match (accepted, now) {
            (Some(accepted), Some(now)) => self.values(accepted, now),
            _ => self.here(),
        }
        self.pointer.truncate(before);
    }

    fn here(&mut self) {
        if self.names.len() < MAX_DIFFERENCES {
            let whole = self.pointer.is_empty();
            self.names.push(if whole { "body".to_owned() } else { self.pointer.clone() });
        }
    }
}
